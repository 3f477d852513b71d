"""The archive for an auditor: gpg and sha256sum check it as its README says; the same for the same state."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.keys import gnupg_home
from localcloud.processes import environment, repository
from pipeline.window import Slot, rfc3339
from tests.evidence.conftest import GOOD, PERIOD, REFUSED, RETURNED, REVISED, Period, contents
from tests.keyrings import gpg


def commands(unpacked: Path) -> list[str]:
    """The commands of README.txt, line by line, the one that imports our key left out."""
    text = re.sub(r" \\\n\s+", " ", (unpacked / "README.txt").read_text(encoding="utf-8"))
    lines = [line[3:] for line in text.splitlines() if re.match(r"   (gpg|sha256sum|find|cd|for|sed) ", line)]
    assert len(lines) == 7
    return lines[1:]


@pytest.fixture
def home(period: Period) -> Iterator[Path]:
    """The auditor's key ring: our public key, which came another way."""
    with gnupg_home() as made:
        gpg(made, "--import", data=period.deployment.cloud.signing_key.public)
        yield made


def typed(lines: list[str], place: Path, home: Path) -> bool:
    """Whether all of these commands end well and say nothing but gpg's words."""
    script = "\n".join(line if line.startswith("cd ") else f"{{ {line}; }} || exit 1" for line in lines)
    words = ["bash", "-o", "pipefail", "-c", script]
    settings = {**os.environ, "GNUPGHOME": str(home)}
    done = subprocess.run(words, cwd=place, env=settings, capture_output=True, check=False)
    return done.returncode == 0 and not done.stdout


def test_gpg_and_sha256sum_find_it_whole_as_the_readme_says(unpacked: Path, home: Path) -> None:
    assert typed(commands(unpacked), unpacked, home)


def test_a_byte_that_is_changed_in_any_file_is_found_by_the_same_commands(unpacked: Path, home: Path) -> None:
    lines = commands(unpacked)
    files = sorted(path for path in unpacked.rglob("*") if path.is_file())
    kinds = {(path.relative_to(unpacked).parts[0], path.suffix, path.name.partition("-")[0]): path for path in files}
    assert len(kinds) > 10
    for path in kinds.values():
        content = path.read_bytes()
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
        assert not typed(lines, unpacked, home), path
        path.write_bytes(content)
    assert typed(lines, unpacked, home)


def test_a_file_that_is_added_or_taken_away_is_found(unpacked: Path, home: Path) -> None:
    lines = commands(unpacked)
    (unpacked / "records" / "more.json").write_text("{}")
    assert not typed(lines, unpacked, home)
    (unpacked / "records" / "more.json").unlink()
    next(unpacked.rglob("certificate-1.json")).unlink()
    assert not typed(lines, unpacked, home)


def test_a_record_that_was_altered_before_it_was_packed_contradicts_the_ledger(unpacked: Path, home: Path) -> None:
    """Whoever holds the key today can sign a new list, and still not what an earlier page says."""
    plan = next((unpacked / "records" / "deliveries" / "payments").rglob("plan.json"))
    plan.write_bytes(plan.read_bytes().replace(b'"revision": 1', b'"revision": 9'))
    *_, loop, digests = commands(unpacked)
    assert typed([loop], unpacked / "records", home)
    assert not typed([digests], unpacked / "records", home)


def test_the_same_records_give_the_same_bytes_but_for_the_signature(
    period: Period, archive: Path, tmp_path: Path
) -> None:
    period.evidence(tmp_path / "again.zip")
    one, other = contents(archive), contents(tmp_path / "again.zip")
    assert [name for name in one if one[name] != other.get(name)] in ([], ["SHA256SUMS.asc"])
    assert list(one) == list(other)


def test_records_are_packed_just_as_they_are_stored(period: Period, archive: Path) -> None:
    bucket = period.deployment.cloud.storage.bucket(period.deployment.records_bucket)
    records = {name: content for name, content in contents(archive).items() if name.startswith("records/")}
    packed = {name.removeprefix("records/"): content for name, content in records.items()}
    stored = {blob.name: blob.download_as_bytes() for blob in bucket.list_blobs()}
    assert {name: stored.get(name) for name in packed} == packed
    kinds = {re.sub(r"[-.].*", "", name.rpartition("/")[2]) for name in packed if name.startswith("deliveries/")}
    assert kinds >= {"plan", "sealed", "sending", "delivered", "refused", "certificate"}
    assert {name.partition("/")[0] for name in packed} == {"deliveries", "contracts", "ledger", "returns"}


def test_no_row_and_no_private_key_is_in_it(period: Period, archive: Path) -> None:
    everything = b"\0".join(contents(archive).values())
    tables = period.deployment.tables
    rows = tables.sql(f"SELECT payment_id FROM `{tables.name}.payments`")
    assert len(rows) > 40
    assert [row[0] for row in rows if str(row[0]).encode() in everything] == []
    assert b"PRIVATE KEY" not in everything
    assert everything.count(b"BEGIN PGP PUBLIC KEY BLOCK") == 1


def test_every_hour_has_a_line_and_the_figures_are_those_of_the_hours(period: Period, archive: Path) -> None:
    packed = contents(archive)
    lines = list(csv.DictReader(io.StringIO(packed["deliveries.csv"].decode())))
    assert len(lines) == 3 * len(PERIOD)
    payments = {line["hour"]: line for line in lines if line["data set"] == "payments"}
    assert payments[rfc3339(GOOD.start)]["state"] == "certified"
    assert payments[rfc3339(REFUSED.start)]["state"] == "refused"
    records = {hour: period.deployment.records(Slot("payments", hour)) for hour in PERIOD.hours()}
    again = records[REVISED]["r2/plan"]["rows"]
    assert again > records[REVISED]["r1/plan"]["rows"] > 0
    assert (payments[rfc3339(REVISED.start)]["revision"], payments[rfc3339(REVISED.start)]["rows"]) == ("2", str(again))
    figures = json.loads(packed["figures.json"])
    (account,) = [one for one in figures["accounts"] if one["dataset"] == "payments"]
    said = {name: account[name] for name in ("hours", "proven", "unfinished", "open", "with_rows", "files", "rows")}
    assert said == {
        "hours": 3,
        "proven": 2,
        "unfinished": 0,
        "open": 1,
        "with_rows": 3,
        "files": 3,
        "rows": sum(
            record["rows"] for hour in (REVISED, GOOD) for name, record in records[hour].items() if "plan" in name
        ),
    }
    assert (account["revisions"], account["refusals"]) == (1, 1)
    proof = json.loads(packed["verification.json"])
    assert (proof["verified"]["findings"], proof["verified"]["newer"]) == ([], 0)
    assert proof["verified"]["pages"] >= 1


def test_the_report_says_what_went_wrong_why_and_what_was_done(archive: Path) -> None:
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", contents(archive)["index.html"].decode()))
    assert "8 of 9 hourly deliveries are proven complete at the partner, or had nothing to send; 1 needs" in text
    assert re.search(r"currency: \d+ rows break", text)
    assert "Still open. Fix the rows at the source" in text
    assert re.search(r"payments \S+ \S+ 2 \S+ \S+ \d+ Rows arrived after the window was delivered\.", text)
    assert RETURNED in text
    assert "Not readable here" in text
    assert "gcloud logging read" in text
    assert "nothing is missing, added or altered" in text


def test_who_read_secrets_is_shown_where_the_log_is_given(period: Period, tmp_path: Path) -> None:
    log = tmp_path / "access.json"
    entry = {
        "timestamp": rfc3339(PERIOD.start),
        "insertId": "x",
        "protoPayload": {
            "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
            "methodName": "google.cloud.secretmanager.v1.SecretManagerService.AccessSecretVersion",
            "resourceName": "projects/1/secrets/pgp-signing-key/versions/3",
            "authenticationInfo": {"principalEmail": "mallory@example.com"},
        },
    }
    log.write_text(json.dumps([entry, {**entry, "timestamp": rfc3339(PERIOD.end)}]))
    period.evidence(tmp_path / "all.zip", "--access-log", str(log))
    packed = contents(tmp_path / "all.zip")
    (access,) = json.loads(packed["figures.json"])["accesses"]
    assert (access["who"], access["times"]) == ("mallory@example.com", 1)
    assert access["secret"] == "pgp-signing-key, version 3"
    assert b"mallory@example.com" in packed["index.html"]
    log.write_text('{"entries": []}')
    result = period.evidence(tmp_path / "bad.zip", "--access-log", str(log))
    assert result.exit_code == 2
    assert "It is not what `gcloud logging read --format=json` prints" in result.stderr
    assert not (tmp_path / "bad.zip").exists()


@pytest.mark.parametrize("place", ["/nowhere/period.zip", "/proc/period.zip"])
def test_a_place_that_cannot_be_written_is_said_at_once(period: Period, place: str) -> None:
    result = period.evidence(Path(place))
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{place} cannot be written: " in result.stderr


def test_what_is_broken_off_leaves_no_half_file(period: Period, tmp_path: Path) -> None:
    deployment = period.deployment
    deployment.break_storage("/o", "hang", times=100)
    try:
        words = ["--start", rfc3339(PERIOD.start), "--end", rfc3339(PERIOD.end), "-o", str(tmp_path / "half.zip")]
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline", "evidence", *words],
            env=environment(deployment.environment()),
            cwd=repository(),
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 60
        while not list(tmp_path.iterdir()):
            assert time.monotonic() < end
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    finally:
        deployment.cloud.end_faults()
    assert list(tmp_path.iterdir()) == []
