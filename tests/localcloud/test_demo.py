"""The demonstration: what it prints fits 80 columns whole, and its settings never replace somebody else's."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from dotenv import dotenv_values
from rich.console import Console

from localcloud.hour import MARK, busy, written
from localcloud.opened import Opened
from localcloud.shown import line, show_files

NAME: Final = "transactions_20261126T180000Z_20261126T190000Z_r1_1of1.csv.pgp"


def printed(opened: Mapping[str, Opened], events: list[dict[str, Any]]) -> str:
    """What a terminal of 80 columns shows."""
    text = io.StringIO()
    show_files(Console(file=text, width=80), opened, events)
    return text.getvalue()


def test_the_table_of_large_files_fits_80_columns_and_no_value_is_cut(tmp_path: Path) -> None:
    file = tmp_path / NAME
    file.write_bytes(b"x" * 123_456)
    opened = {"transactions": Opened(file, "transactions/2026/11/26/1800/r1/", 12_345_678, True, "identical")}
    events = [
        {"event": "seal.completed", "dataset": "transactions", "bytes": 1_234_567_890, "seconds": 100.5},
        {"event": "upload.completed", "dataset": "transactions", "bytes": 123_456, "seconds": 23.0},
    ]
    text = printed(opened, events)
    assert max(len(shown) for shown in text.splitlines()) <= 80
    for value in ("transactions", "12,345,678", "1,234,567,890", "123,456", "123.50", "identical", NAME):
        assert value in text
    assert "…" not in text


def test_an_event_says_its_figures_and_what_is_wrong_in_a_line_of_its_own() -> None:
    event: dict[str, Any] = {
        "event": "rows.refused",
        "dataset": "payments",
        "severity": "WARNING",
        "message": "currency: 1 rows",
    }
    assert line(event) == "rows.refused        payments\n      currency: 1 rows"
    event = {"event": "plan.completed", "dataset": "payments", "severity": "INFO", "rows": 1234, "seconds": 0.5}
    assert line(event) == "plan.completed      payments     1,234 rows, 0.50 s"


def test_nothing_turns_where_there_is_no_terminal() -> None:
    text = io.StringIO()
    with busy(Console(file=text), "dbt builds"):
        pass
    assert text.getvalue() == ""


def test_settings_are_read_by_a_shell_and_by_the_commands_and_are_written_again(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    settings = {"SFTP_HOST": "127.0.0.1", "CONTRACTS_DIRECTORY": "/srv/a b/$c"}
    assert written(path, {"SFTP_HOST": "other"})
    assert written(path, settings)
    assert dotenv_values(path, interpolate=False) == settings
    script = 'set -a; . "$1"; set +a; printf "%s" "$CONTRACTS_DIRECTORY"'
    assert subprocess.check_output(["sh", "-c", script, "sh", str(path)]).decode() == "/srv/a b/$c"


def test_a_file_of_a_real_deployment_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("SFTP_HOST=sftp.partner.example\n", encoding="utf-8")
    assert not written(path, {"SFTP_HOST": "127.0.0.1"})
    assert path.read_text(encoding="utf-8") == "SFTP_HOST=sftp.partner.example\n"
    assert not path.read_text(encoding="utf-8").startswith(MARK)
