"""The commands as they are typed: help, exit codes, JSON, and a sentence instead of a traceback."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from localcloud.processes import environment, repository
from pipeline import CHAIN
from pipeline.__main__ import COMMANDS, main
from pipeline.cli.session import exit_code
from pipeline.errors import kinds
from pipeline.settings import Settings
from pipeline.window import rfc3339
from tests.operation.operator import HERE, Operator


def _typed() -> list[str]:
    """Every command as it is typed: `status`, `contract diff`."""
    words = []
    for name in COMMANDS:
        command = main.get_command(click.Context(main), name)
        words += [f"{name} {one}" for one in command.commands] if isinstance(command, click.Group) else [name]
    return words


@pytest.mark.parametrize("name", _typed())
def test_every_command_explains_itself_with_examples_that_begin_as_they_are_typed(name: str) -> None:
    text = CliRunner().invoke(main, [*name.split(), "--help"]).stdout
    assert "--json" in text
    assert "--log" in text
    examples = [line.strip() for line in text.splitlines() if line.strip().startswith("python -m pipeline")]
    assert all(example.startswith(f"python -m pipeline {name}") for example in examples)
    assert examples or name == "chain"


def test_the_help_names_every_command_the_chain_and_the_exit_codes() -> None:
    text = CliRunner().invoke(main, ["--help"]).stdout
    for name in (*COMMANDS, *(step.step for step in CHAIN), "Exit codes"):
        assert name in text


def test_help_needs_neither_settings_nor_a_client() -> None:
    code = (
        "import sys, pipeline.__main__ as m; m.main(['--help'], standalone_mode=False); "
        "print({'google.auth', 'grpc', 'asyncssh', 'polars', 'pydantic', 'rich'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment({}, without=[name.upper() for name in Settings.model_fields]),
        capture_output=True,
        check=True,
        cwd=repository(),
    )
    assert done.stdout.decode().splitlines()[-1] == "set()"


def _imported(*words: str, **settings: str) -> set[str]:
    """The heavy modules that a command has imported when it ends."""
    heavy = (
        "{'grpc', 'asyncssh', 'polars', 'pyarrow', 'pandas', 'gnupg', 'jinja2', 'google.cloud.bigquery', "
        "'google.cloud.storage', 'google.cloud.pubsub_v1', 'google.cloud.secretmanager', 'pipeline.run'}"
    )
    code = (
        f"import sys, atexit, pipeline.__main__ as m; sys.argv[1:] = {list(words)!r}; "
        f"atexit.register(lambda: print('\\n', *sorted({heavy} & set(sys.modules)))); m.entry()"
    )
    clean = environment(settings, without=[name.upper() for name in Settings.model_fields])
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean, capture_output=True, text=True, check=False, cwd=repository()
    )
    return set(done.stdout.splitlines()[-1].split())


def test_status_imports_the_client_of_the_records_and_no_other(operator: Operator) -> None:
    imported = _imported("status", "--hours", "1", **operator.deployment.environment())
    # Google's errors bring gRPC; polars tries the patterns of contracts.
    assert imported == {"google.cloud.storage", "grpc", "pipeline.run", "polars"}


def test_what_the_settings_lack_is_said_before_any_client_is_imported() -> None:
    assert _imported("status") == set()


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A directory with the installed script, as pip writes it."""
    script = tmp_path / "amazon-pspp"
    script.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(repository())!r})\n"
        "from pipeline.__main__ import entry\nsys.exit(entry())\n"
    )
    script.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["sta"], {"status"}),
        (["verify-"], {"verify-setup", "verify-records"}),
        (["contract", ""], {"diff", "check", "release"}),
        (["status", "--rec"], {"--records"}),
        (["stauts", ""], set(COMMANDS)),
    ],
)
def test_bash_completes_the_installed_script(installed: Path, words: list[str], offered: set[str]) -> None:
    reference = (repository() / "docs" / "reference.md").read_text(encoding="utf-8")
    (line,) = re.findall(r'^\$ (eval "\$\(_AMAZON_PSPP_COMPLETE=bash_source amazon-pspp\)")', reference, re.MULTILINE)
    typed = " ".join(f"'{word}'" for word in ("amazon-pspp", *words))
    script = (
        f"{line}; complete -p amazon-pspp >&2; COMP_WORDS=({typed}); COMP_CWORD={len(words)}; "
        '_amazon_pspp_completion amazon-pspp; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    found = environment({"PATH": f"{installed}:{os.environ['PATH']}"})
    done = subprocess.run(["bash", "-c", script], env=found, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == offered
    assert "Traceback" not in done.stderr


def test_the_chain_is_made_of_modules_that_exist_and_say_what_they_are() -> None:
    answer = json.loads(CliRunner().invoke(main, ["chain", "--json"]).stdout)
    assert [step["step"] for step in answer] == [step.step for step in CHAIN]
    for step in answer:
        assert importlib.import_module(step["module"]).__doc__


def test_every_kind_of_error_leads_to_an_exit_code_by_whether_it_may_pass_by_itself() -> None:
    codes = {kind.code: exit_code(kind("why")) for kind in kinds()}
    assert {code for code, number in codes.items() if number == 2} == {
        "message-rejected",
        "settings-invalid",
        "contract-invalid",
    }
    assert {code for code, number in codes.items() if number == 4} == {
        "rows-refused",
        "archive-damaged",
        "record-damaged",
        "upload-too-slow",
    }
    assert codes["partner-unavailable"] == 3


ASKING = {"GOOGLE_CLOUD_PROJECT", "RECORDS_BUCKET", "TOPIC"}
NEEDED = {
    "status": {"GOOGLE_CLOUD_PROJECT", "RECORDS_BUCKET"},
    **dict.fromkeys(("republish", "certify", "collect", "keys", "verify-setup"), ASKING),
}
"""What a command needs where it does not run here."""


def test_missing_settings_are_all_named_and_none_is_asked_for_that_is_not_used() -> None:
    every = {name.upper() for name, field in Settings.model_fields.items() if field.is_required()}
    typed: list[tuple[str, tuple[str, ...], set[str]]] = [(name, (), needed) for name, needed in NEEDED.items()]
    typed += [(name, options, every) for name, options in HERE.items()]
    for name, options, needed in typed:
        words = [name, *options, *(["--start", "2026-11-23T13:00:00Z"] if name == "republish" else [])]
        unset = dict.fromkeys((field.upper() for field in Settings.model_fields), "")
        result = CliRunner().invoke(main, words, env=unset, catch_exceptions=False)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.startswith("Error [settings-invalid] ")
        assert set(re.findall(r"^  (\w+): is not set$", result.stderr, re.M)) == needed, words


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("deliver", "--start", "yesterday"), '"window.start" is not a time'),
        (("deliver", "--start", "2026-11-23T13:30:00Z"), "is not on the hour"),
        (("deliver", "--start", "2126-11-23T13:00:00Z"), "in the future"),
        (("deliver", "--dataset", "orders"), 'names "orders"'),
        (("deliver", "--resend"), 'need a "window"'),
        (("deliver", "--start", "2026-11-23T13:00:00Z", "--resend", "--revise"), "ask for one of them"),
        (("certify", "--end", "2026-11-23T13:00:00Z"), "--end needs --start"),
        (("republish",), "Name the window"),
        (("status", "payments", "--records"), "--records goes with DATASET and HOUR"),
        (("status", "orders"), "There is no dataset orders; there are identity, payments, transactions"),
        (("statsu",), "There is no command statsu. Did you mean status?"),
        (("status", "--html", "/nowhere/page.html", "--hours", "1"), "/nowhere/page.html cannot be written"),
        (("status", "--hours", "0"), "0 is not in the range"),
        (("open", "/nowhere", "--json"), "needs --output"),
        (("certify", "--log", "/nowhere/events"), "cannot be written"),
    ],
)
def test_what_cannot_be_carried_out_is_refused_with_a_sentence_and_exit_code_2(
    operator: Operator, words: tuple[str, ...], said: str
) -> None:
    result = operator.run(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_an_error_is_json_too_where_json_was_asked_for(operator: Operator) -> None:
    answer = operator.answer("certify", "--start", "yesterday", code=2)
    assert answer["error"]["code"] == "message-rejected"
    port = str(operator.deployment.cloud.services["secretmanager"].ready["grpc"]).rpartition(":")[2]
    answer = operator.answer("collect", code=3, RETURNS_HOST="127.0.0.1", RETURNS_PORT=port, RETURNS_USER="amazon")
    assert (answer["error"]["code"], answer["error"]["retryable"]) == ("partner-unavailable", True)


def test_deliver_runs_the_hour_here_and_publishes_nothing(operator: Operator) -> None:
    hour = operator.hour(8)
    before = len(list(operator.function.events()))
    (answer,) = operator.answer("deliver", "--start", hour, "--dataset", "payments")
    assert (answer["state"], answer["rows"], answer["done"], answer["error"]) == (
        "delivered",
        8,
        "planned, sealed, sent",
        None,
    )
    (again,) = operator.answer("deliver", "--start", hour, "--dataset", "payments")
    assert (again["done"], again["revision"]) == ("nothing new", 1)
    (resent,) = operator.answer("deliver", "--start", hour, "--dataset", "payments", "--resend")
    assert (resent["done"], resent["revision"]) == ("sent", 1)
    (revised,) = operator.answer("deliver", "--start", hour, "--dataset", "payments", "--revise")
    assert (revised["done"], revised["revision"]) == ("planned, sealed, sent", 2)
    assert len(list(operator.function.events())) == before


def test_deliver_runs_every_part_of_a_large_hour_in_this_process(operator: Operator) -> None:
    hour = operator.hour(40)
    before = len(list(operator.function.events()))
    (answer,) = operator.answer("deliver", "--start", hour, "--dataset", "payments", MAX_PART_ROWS="25")
    assert (answer["state"], answer["rows"]) == ("delivered", 40)
    assert len(operator.records(hour, "r1/delivered")) > 1
    assert operator.verdict(hour) == "certified"
    assert len(list(operator.function.events())) == before


def test_deliver_shows_rows_bytes_and_upload_while_it_works(operator: Operator) -> None:
    hour = operator.hour(8)
    result = operator.run("deliver", "--start", hour, "--dataset", "payments", FORCE_COLOR="1", COLUMNS="160")
    (sealed,) = [one for one in operator.full(hour)["records"] if one["name"] == "r1/sealed-1"]
    size = f"{sealed['record']['sealed']['size']:,}"
    assert "8 of 8" in result.stderr
    assert f"{sealed['record']['csv']['size']:,} of ?" in result.stderr
    assert f"{size} of {size}" in result.stderr
    assert "of" not in operator.run("deliver", "--start", hour, "--dataset", "payments").stderr


def test_an_error_in_one_hour_does_not_stop_the_others(operator: Operator) -> None:
    later = operator.hour(4)
    earlier = operator.hour(4)
    operator.sql("UPDATE {table} SET currency = 'euro' WHERE {hour}", earlier)
    words = ("deliver", "--start", earlier, "--end", rfc3339(datetime.fromisoformat(later) + timedelta(hours=1)))
    result = operator.run(*words, "--dataset", "payments", "--json")
    assert result.exit_code == 4, result.output
    refused, sent = json.loads(result.stdout)
    assert (refused["state"], refused["error"]["code"]) == ("refused", "rows-refused")
    assert (sent["state"], sent["error"]) == ("delivered", None)


def test_republish_says_what_it_will_do_asks_and_does_nothing_on_no(operator: Operator) -> None:
    hour = operator.delivered(4)
    words = ("republish", "--start", hour, "--dataset", "payments")
    before = len(list(operator.function.events()))
    refused = operator.run(*words, typed="n\n")
    assert refused.exit_code == 1
    assert "nothing: delivered before" in refused.stdout
    assert "Publish 1 messages to amazon-pspp?" in refused.stderr
    assert len(list(operator.function.events())) == before
    answer = operator.answer(*words, "--revise", "--yes")
    assert answer["published"] == 1
    assert answer["deliveries"][0]["would"] == "extract revision 2 anew and send it"
    operator.wait(lambda: bool(operator.records(hour, "r2/delivered")))


def test_status_shows_the_grid_and_one_delivery_in_full(operator: Operator) -> None:
    hour = operator.delivered(9)
    grid = operator.run("status", "--hours", "168", COLUMNS="160")
    assert f"{hour[:10]} {hour[11:16]}" in grid.stdout
    assert "certified 9 rows" in grid.stdout
    cells = json.loads(operator.run("status", "--hours", "168", "--json").stdout)["cells"]
    (one,) = [cell for cell in cells if (cell["dataset"], cell["start"]) == ("payments", hour)]
    assert (one["state"], one["rows"], one["problems"]) == ("certified", 9, [])
    whole = operator.answer("status", "payments", hour)
    kinds_ = [record["name"].split("-")[0] for record in whole["records"]]
    assert kinds_ == ["r1/plan", "r1/sealed", "r1/sending", "r1/delivered", "r1/certificate"]
    records = operator.run("status", "payments", hour, "--records")
    assert records.exit_code == 0
    assert whole["records"][1]["record"]["sealed"]["sha256"] in records.stdout
    text = operator.run("status", "payments", f"{hour[:10]} {hour[11:16]}")  # as the grid prints it
    assert text.exit_code == 0
    said = re.findall(r"^  \S+ \S+ r1 ([a-z ]+):", text.stdout, re.M)
    assert said == ["planned", "sealed", "at the partner", "certified"]


def test_the_package_runs_as_a_program(operator: Operator, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "status", "--hours", "1", "--json", "--log", str(tmp_path / "log")],
        env=environment(operator.deployment.environment()),
        capture_output=True,
        check=False,
        cwd=repository(),
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(json.loads(done.stdout)["cells"]) == len(operator.deployment.datasets)
