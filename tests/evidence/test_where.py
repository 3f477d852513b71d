"""`where`: found in just those files of the partner in which the row stands; what is not searched is named."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from localcloud.processes import environment, repository
from pipeline.__main__ import main
from pipeline.clients.counts import PartCount
from pipeline.deliver.csvfile import csv_bytes
from pipeline.evidence.search import contains, matching, quoted
from pipeline.records.schema import Plan, Sealed
from pipeline.window import Slot, Window, rfc3339
from tests.deployment import InProcessDeployment
from tests.evidence.conftest import GOOD, PERIOD, REFUSED, REVISED, Period
from tests.sample_contract import sample_contract

RANGE = ("--start", rfc3339(PERIOD.start), "--end", rfc3339(PERIOD.end))


def where(deployment: InProcessDeployment, *words: str, typed: str | None = None) -> Result:
    """Type the command."""
    return CliRunner().invoke(
        main, ["where", *words], input=typed, env=deployment.environment(), catch_exceptions=False
    )


def answer(deployment: InProcessDeployment, *words: str, code: int = 0) -> dict[str, Any]:
    """What it says with --json."""
    result = where(deployment, *words, *RANGE, "--json")
    assert result.exit_code == code, result.output
    return dict(json.loads(result.stdout))


def at_the_partner(deployment: InProcessDeployment) -> dict[str, list[str]]:
    """The payments in each of the partner's files, opened with the partner's key and read by Python's own reader."""
    files = [path for path in deployment.received() if path.name.startswith("payments")]
    texts = {path.name: deployment.open(path).decode() for path in files}
    return {name: [row["payment_id"] for row in csv.DictReader(io.StringIO(text))] for name, text in texts.items()}


def test_a_row_is_found_in_just_the_files_that_the_partner_has_it_in(period: Period) -> None:
    deployment = period.deployment
    files = at_the_partner(deployment)
    assert len(files) == 3
    for key in {rows[number] for rows in files.values() for number in (0, len(rows) // 2, -1)}:
        searched = answer(deployment, "payments", key)
        assert [one["file_name"] for one in searched["sightings"]] == sorted(
            name for name, rows in files.items() if key in rows
        )
        assert (searched["files"], searched["unsearched"], searched["complete"]) == (3, [], True)
    assert answer(deployment, "payments", "no-such-payment")["sightings"] == []


def test_it_says_when_in_which_revision_and_certified_how(period: Period) -> None:
    deployment = period.deployment
    first = next(rows[0] for name, rows in sorted(at_the_partner(deployment).items()) if "_r1_" in name)
    one, other = answer(deployment, "payments", first)["sightings"]
    records = deployment.records(Slot("payments", REVISED))
    assert (one["revision"], other["revision"], one["rows"]) == (1, 2, 1)
    assert (one["verdict"], other["verdict"]) == ("late rows", "certified")
    assert other["delivered"] == [records["r2/delivered-1-1"]["created"].replace("T", " ").replace("Z", "+00:00")]
    assert other["archived"] == records["r2/sealed-1"]["csv"]["name"]
    text = where(deployment, "payments", first, *RANGE).stdout
    assert f"payments {REVISED.start:%Y-%m-%d %H:%M} r2: {other['file_name']}" in text
    assert "the row stands in 2 files." in text


def test_a_row_that_was_refused_was_sent_in_no_file(period: Period) -> None:
    tables = period.deployment.tables
    condition = f"updated_at >= '{rfc3339(REFUSED.start)}' AND updated_at < '{rfc3339(REFUSED.end)}'"
    key = tables.sql(f"SELECT payment_id FROM `{tables.name}.payments` WHERE {condition}")[0][0]
    result = where(period.deployment, "payments", str(key), *RANGE)
    assert (result.exit_code, "the row stands in none of them." in result.stdout) == (0, True)


def test_the_key_is_in_no_log_and_may_come_from_stdin(period: Period, tmp_path: Path) -> None:
    key = next(iter(at_the_partner(period.deployment).values()))[0]
    log = tmp_path / "log"
    result = where(period.deployment, "payments", "-", *RANGE, "--json", "--log", str(log), typed=f"{key}\n")
    assert json.loads(result.stdout)["sightings"]
    assert key not in log.read_text(encoding="utf-8") + result.output


def test_a_key_that_only_looks_like_another_is_pointed_out(period: Period) -> None:
    """Letters with marks in two forms, white space; in a file, lines may end in CRLF, and other ends are no ends."""
    key = next(iter(at_the_partner(period.deployment).values()))[0]
    crlf = where(period.deployment, "payments", "-", *RANGE, "--json", typed=f"{key}\r\n")
    assert json.loads(crlf.stdout)["sightings"]
    for typed, said in ((f" {key}", "white space"), ("Zo\u00eb", "in two ways"), ("Zoe\u0308", "in two ways")):
        result = where(period.deployment, "payments", typed, *RANGE)
        assert (result.exit_code, said in result.stderr) == (0, True)
    assert where(period.deployment, "payments", "-", *RANGE, typed="a\u2028b").exit_code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("payments", "a", "b"), "The key of payments is payment_id; 2 values were given."),
        (("identity", "a"), "The key of identity is "),
        (("orders", "a"), "There is no dataset orders; there are identity, payments, transactions."),
        (("payments", ""), "A value of a key is never empty."),
        (("payments", "a", "--start", "soon"), "--start: soon is not a time"),
        (("payments", "a", "--start", "2026-11-23T13:30:00Z"), "is not on the hour"),
        (("payments", "a", "--start", "2100-01-01"), "is not before end"),
    ],
)
def test_what_cannot_be_searched_for_is_said(period: Period, words: tuple[str, ...], said: str) -> None:
    result = where(period.deployment, *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_a_file_that_is_gone_or_altered_is_named_and_not_skipped(deployment: InProcessDeployment) -> None:
    slot = deployment.load_sample(30, window=GOOD)
    deployment.deliver(slot)
    sealed = deployment.records(slot)["r1/sealed-1"]["csv"]["name"]
    rows = list(csv.DictReader(io.StringIO(bucket_of(deployment).blob(sealed).download_as_bytes().decode())))
    key = (rows[7]["booking"], rows[7]["line"])
    (sighting,) = answer(deployment, "bookings", *key)["sightings"]
    assert (sighting["rows"], sighting["archived"]) == (1, sealed)
    assert answer(deployment, "bookings", key[0], "99999")["sightings"] == []
    blob = bucket_of(deployment).blob(sealed)
    content = blob.download_as_bytes()
    blob.delete()
    searched = answer(deployment, "bookings", *key, code=1)
    (missed,) = searched["unsearched"]
    assert missed["reason"] == f"gs://{deployment.archive_bucket}/{sealed} is not in the archive any more."
    assert (searched["files"], searched["complete"]) == (0, False)
    blob.upload_from_string(content)
    result = where(deployment, "bookings", *key, *RANGE)
    assert result.exit_code == 1
    assert f"{sealed} is not the object that its record names." in result.stdout
    assert "1 files could not be searched; the row may stand in them too." in result.stdout


def test_without_a_range_all_that_was_ever_planned_is_searched(deployment: InProcessDeployment) -> None:
    assert "No hour of payments was ever planned" in where(deployment, "payments", "a").stderr
    slot = deployment.load(window=GOOD)
    deployment.deliver(slot)
    assert "1 files, " in where(deployment, "payments", "a").stdout


def bucket_of(deployment: InProcessDeployment) -> Any:
    """The archive."""
    return deployment.cloud.storage.bucket(deployment.archive_bucket)


FILES = 6
PEAK = """
import resource, sys
from localcloud.processes import environment, repository
from pipeline.__main__ import main
from pipeline.clients.counts import PartCount
main(sys.argv[1:], standalone_mode=False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, file=sys.stderr)
"""


def archived(deployment: InProcessDeployment, window: Window, size: int) -> None:
    """A delivery of payments of FILES parts, each a file of so many bytes; the last of them has the row P-1."""
    slot, run = Slot("payments", window), deployment.within()
    folder = run.records.folder(slot).revision(1)
    contract = run.dataset("payments")
    given = {"dataset": "payments", "contract": contract.version, "contract_sha256": contract.sha256, "cause": "1"}
    parts = [PartCount(part, 1, 1, size, "0", {}) for part in range(1, FILES + 1)]
    times = {"start": window.start, "end": window.end, "snapshot": window.end}
    folder.create_plan(Plan.model_validate({**given, **times, "revision": 1, "rows": FILES, "parts": parts}))
    line = b"P-2" + b"," * (len(contract.columns) - 1) + b"\r\n"
    piece = line * (2**20 // len(line))
    header = ",".join(column.name for column in contract.columns).encode() + b"\r\n"
    for part in range(1, FILES + 1):
        name = f"{folder.delivery.folder}/{part}.csv"
        content = (
            header,
            *(piece for _ in range(size // len(piece))),
            line.replace(b"P-2", b"P-1") if part == FILES else b"",
        )
        csv_ = run.archive.write(name, content)
        words = {"part": part, "attempt": "a", "file_name": f"{part}.csv.pgp", "rows": 1, "recipient": "R"}
        kept = {"piece_size": 1, "piece_sha256": (), "signer": None, "keys": {}, "opened": None}
        folder.create_sealed(Sealed.model_validate({**words, **kept, "csv": csv_, "sealed": csv_}))


def test_memory_does_not_grow_with_the_files(deployment: InProcessDeployment) -> None:
    """By less than a half of what the larger files hold more."""
    peaks = []
    for window, size in ((GOOD, 2 * 2**20), (REFUSED, 24 * 2**20)):
        archived(deployment, window, size)
        words = ["where", "payments", "P-1", "--start", rfc3339(window.start), "--end", rfc3339(window.end), "--json"]
        done = subprocess.run(
            [sys.executable, "-c", PEAK, *words],
            env=environment(deployment.environment()),
            cwd=repository(),
            capture_output=True,
            check=True,
        )
        searched = json.loads(done.stdout)
        assert (len(searched["sightings"]), searched["bytes"] > FILES * size * 0.9) == (1, True)
        peaks.append(int(done.stderr.split()[-1]))
    assert peaks[1] - peaks[0] < FILES * 22 / 2, peaks


TEXTS = st.text(st.sampled_from("aä\"\r\n,'=1\u2028"), min_size=1, max_size=4)


def cut(content: bytes, size: int) -> Iterator[bytes]:
    """Pieces of this size."""
    return (content[start : start + size] for start in range(0, len(content), size))


@given(st.lists(st.tuples(TEXTS, st.integers(0, 3)), min_size=1, max_size=8), TEXTS, st.integers(1, 40))
def test_any_key_is_found_wherever_the_file_is_cut(rows: list[tuple[str, int]], other: str, size: int) -> None:
    """As often as the frame has it, before it was written as CSV."""
    contract = sample_contract()
    columns = {column.name: None for column in contract.columns}
    frame = pl.DataFrame([{**columns, "booking": booking, "line": line} for booking, line in rows])
    content = b"".join(csv_bytes([frame], contract))
    for booking in {other, *(booking for booking, _ in rows)}:
        for line in (0, 3):
            wanted = (booking, str(line))
            count = matching(cut(content, size), contract.key, wanted)
            assert count == sum((text, str(number)) == wanted for text, number in rows)
            found, sha256 = contains(cut(content, size), quoted(booking))
            assert found or not count
            assert sha256 == hashlib.sha256(content).hexdigest()


def test_where_formulas_are_escaped_the_key_of_the_source_is_found() -> None:
    contract = sample_contract()
    assert contract.key_in_file(("=1+1", "5")) == ("=1+1", "5")
    text = contract.text.replace("value: file}", "value: file}\n      - {property: formulas, value: escape}")
    assert sample_contract(text).key_in_file(("=1+1", "5")) == ("'=1+1", "5")
