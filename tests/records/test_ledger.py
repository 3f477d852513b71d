"""The ledger: every hour's records are listed, signed and chained, and whoever tampers with the bucket is found."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from pipeline.clients.storage import Bucket
from pipeline.errors import RecordDamaged
from pipeline.pgp.keyring import Keyring
from pipeline.pgp.signature import detached, verifier
from pipeline.records import ledger
from pipeline.records.audit import Finding, verify
from pipeline.window import HOUR, rfc3339
from tests.deployment import InProcessDeployment
from tests.keyrings import People, ring

NOW: Final = datetime.now(UTC)
THIS_HOUR: Final = ledger.floor(NOW)
HOURS_AGO: Final = (4, 3, 3, 1)
"""When the records of the tests were created: nothing was two hours ago."""


def record(number: int, at: datetime) -> bytes:
    """What a record looks like, as far as the ledger cares."""
    return json.dumps({"record": {"created": rfc3339(at), "number": number}, "sha256": "x"}).encode()


def path(number: int) -> str:
    """Where a record of the tests stands."""
    return f"deliveries/payments/2026/11/23/1300/r{number}/plan.json"


@pytest.fixture
def bucket(deployment: InProcessDeployment) -> Bucket:
    """A records bucket with records of the last hours."""
    made = deployment.within().bucket(deployment.records_bucket)
    for number, hours in enumerate(HOURS_AGO):
        at = THIS_HOUR - hours * HOUR + timedelta(minutes=5)
        made.create(path(number), record(number, at))
        place = f"{deployment.records_bucket}/{path(number)}"
        deployment.cloud.age(f"^{place}$", (datetime.now(UTC) - at).total_seconds())
    return made


def pages(bucket: Bucket, keys: Keyring, most: int = ledger.MOST_PAGES) -> list[ledger.LedgerPage]:
    """Extend the ledger."""
    return ledger.extend(bucket, max(NOW, THIS_HOUR + ledger.SETTLED), partial(detached, keys=keys), most)


def an_hour_later(bucket: Bucket, keys: Keyring) -> list[ledger.LedgerPage]:
    """Extend the ledger by all that was created until now, in whatever hour the tests have come to."""
    return ledger.extend(bucket, ledger.floor(datetime.now(UTC)) + HOUR + ledger.SETTLED, partial(detached, keys=keys))


def copied(bucket: Bucket) -> dict[str, bytes]:
    """A copy of the bucket."""
    return {name: bucket.read(name) or b"" for name in bucket.names("")}


def findings(copy: dict[str, bytes], who: People, **bounds: datetime) -> list[tuple[str, str]]:
    """What an auditor with our public key finds."""
    with verifier([who.signer.public]) as is_signed:
        return [(finding.kind, finding.name) for finding in verify(copy, is_signed, **bounds).findings]


def test_every_hour_since_the_first_record_has_a_page_and_nothing_contradicts_it(
    bucket: Bucket, keys: Keyring, who: People
) -> None:
    made = pages(bucket, keys)
    assert [(THIS_HOUR - page.hour) // HOUR for page in made] == [4, 3, 2, 1]
    assert [len(page.records) for page in made] == [1, 2, 0, 1]
    assert pages(bucket, keys) == []
    with verifier([who.signer.public]) as is_signed:
        verified = verify(copied(bucket), is_signed)
    assert (verified.pages, verified.records, verified.newer, verified.findings) == (4, 4, 0, ())


def test_openpgp_tools_of_others_verify_a_page(bucket: Bucket, keys: Keyring, who: People, tmp_path: Path) -> None:
    page = pages(bucket, keys)[0]
    (tmp_path / "page").write_bytes(bucket.read(ledger.path_of(page.hour)) or b"")
    (tmp_path / "page.asc").write_bytes(bucket.read(ledger.path_of(page.hour) + ledger.SIGNATURE) or b"")
    (tmp_path / "key").write_bytes(who.signer.public)
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet"]
    subprocess.run([*gpg, "--import", str(tmp_path / "key")], check=True)
    subprocess.run([*gpg, "--verify", str(tmp_path / "page.asc"), str(tmp_path / "page")], check=True)


def test_the_chain_is_the_hash_of_the_page_before(bucket: Bucket, keys: Keyring) -> None:
    first, second, *_ = pages(bucket, keys)
    assert first.previous is None
    assert second.previous == hashlib.sha256(bucket.read(ledger.path_of(first.hour)) or b"").hexdigest()


def test_two_runs_at_once_make_the_same_pages(bucket: Bucket, keys: Keyring, who: People) -> None:
    with ThreadPoolExecutor(2) as runs:
        one, other = (runs.submit(pages, bucket, keys) for _ in range(2))
    made: dict[datetime, ledger.LedgerPage] = {}
    for page in (*one.result(), *other.result()):
        assert made.setdefault(page.hour, page) == page
    assert len(made) == 4
    assert findings(copied(bucket), who) == []


def test_a_key_that_cannot_sign_leaves_no_page(bucket: Bucket) -> None:
    def dies(_: bytes) -> bytes:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ledger.extend(bucket, THIS_HOUR + ledger.SETTLED, dies)
    assert bucket.names("ledger/") == []


@pytest.mark.parametrize("made", [1, 4])
def test_a_run_that_died_before_its_signature_was_kept_is_made_up_for(
    bucket: Bucket, keys: Keyring, who: People, made: int
) -> None:
    last = pages(bucket, keys, most=made)[-1]
    bucket.handle.blob(ledger.path_of(last.hour) + ledger.SIGNATURE).delete()
    pages(bucket, keys)
    assert findings(copied(bucket), who) == []


def forged(bucket: Bucket, hour: datetime) -> str:
    """A page that somebody with an administrator's rights puts in the place of another, to have it signed."""
    handle = bucket.handle.blob(ledger.path_of(hour))
    page = json.loads(handle.download_as_bytes()) if handle.exists() else {"hour": rfc3339(hour), "previous": None}
    text = json.dumps({**page, "records": {path(0): "0" * 64}}, indent=1, sort_keys=True)
    handle.upload_from_string(text)
    return text


@pytest.mark.parametrize("made", [0, 1, 2, 4])
def test_a_page_that_somebody_else_put_there_is_never_signed(
    bucket: Bucket, keys: Keyring, who: People, made: int
) -> None:
    done = pages(bucket, keys, most=made) if made else []
    hour = done[-1].hour if made else THIS_HOUR - 4 * HOUR
    if made:
        bucket.handle.blob(ledger.path_of(hour) + ledger.SIGNATURE).delete()
    forged(bucket, hour)
    with pytest.raises(RecordDamaged, match="is not signed"):
        pages(bucket, keys)
    assert bucket.stat(ledger.path_of(hour) + ledger.SIGNATURE) is None
    bucket.handle.blob(ledger.path_of(hour)).delete()
    pages(bucket, keys)
    assert findings(copied(bucket), who) == []


def test_pages_of_hours_to_come_and_of_no_hour_stop_nothing(bucket: Bucket, keys: Keyring, who: People) -> None:
    forged(bucket, THIS_HOUR + 24 * HOUR)
    bucket.create(f"{ledger.PREFIX}2026/13/99/25.json", b"{}")
    assert len(pages(bucket, keys)) == 4
    assert findings(copied(bucket), who, end=THIS_HOUR) == []


def test_hours_without_a_run_are_made_up_for_and_the_number_of_pages_of_one_run_is_bounded(
    bucket: Bucket, keys: Keyring, who: People
) -> None:
    assert [len(pages(bucket, keys, most=3)) for _ in range(3)] == [3, 1, 0]
    assert findings(copied(bucket), who) == []


def test_an_empty_bucket_has_no_ledger_yet(deployment: InProcessDeployment, keys: Keyring, who: People) -> None:
    empty = deployment.within().bucket(deployment.records_bucket)
    assert pages(empty, keys) == []
    assert findings({}, who) == []


def test_pages_that_an_old_key_signed_are_good_as_long_as_the_old_key_is_named(
    bucket: Bucket, keys: Keyring, who: People
) -> None:
    pages(bucket, keys, most=2)
    with ring(who, signing=who.stranger.private, passphrase=(who.stranger.passphrase or "").encode()) as rotated:
        pages(bucket, rotated)
    copy = copied(bucket)
    with verifier([who.signer.public, who.stranger.public]) as is_signed:
        assert verify(copy, is_signed).findings == ()
    assert [kind for kind, _ in findings(copy, who)] == ["signature bad", "signature bad"]


# Tampering with an administrator's rights


def _altered(copy: dict[str, bytes]) -> None:
    copy[path(1)] = record(99, THIS_HOUR - 3 * HOUR + timedelta(minutes=5))


def _forged_page(copy: dict[str, bytes]) -> None:
    """The administrator alters a record and the page that lists it."""
    _altered(copy)
    name = ledger.path_of(THIS_HOUR - 3 * HOUR)
    page = json.loads(copy[name])
    page["records"][path(1)] = hashlib.sha256(copy[path(1)]).hexdigest()
    copy[name] = json.dumps(page, indent=1, sort_keys=True).encode()


def _without(name: Callable[[], str], copy: dict[str, bytes]) -> None:
    del copy[name()]


def _added(copy: dict[str, bytes]) -> None:
    copy[path(50)] = record(50, THIS_HOUR - 3 * HOUR)


TAMPERING: Final[dict[str, tuple[Callable[[dict[str, bytes]], Any], set[str]]]] = {
    "a record altered": (_altered, {"record altered"}),
    "a record deleted": (partial(_without, lambda: path(2)), {"record missing"}),
    "a record added with an old date": (_added, {"record added"}),
    "a record and its page altered": (_forged_page, {"signature bad", "chain broken"}),
    "the page of an hour deleted": (
        partial(_without, lambda: ledger.path_of(THIS_HOUR - 3 * HOUR)),
        {"page missing", "record added", "chain broken"},
    ),
    "a signature deleted": (
        partial(_without, lambda: ledger.path_of(THIS_HOUR - 3 * HOUR) + ledger.SIGNATURE),
        {"signature missing"},
    ),
}


@pytest.mark.parametrize("case", TAMPERING)
def test_tampering_with_a_copy_is_found(bucket: Bucket, keys: Keyring, who: People, case: str) -> None:
    pages(bucket, keys)
    copy = copied(bucket)
    tamper, kinds = TAMPERING[case]
    tamper(copy)
    assert {kind for kind, _ in findings(copy, who)} == kinds


def test_the_last_pages_cut_off_are_missed_where_the_auditor_says_until_when(
    bucket: Bucket, keys: Keyring, who: People
) -> None:
    pages(bucket, keys)
    copy = copied(bucket)
    name = ledger.path_of(THIS_HOUR - HOUR)
    del copy[name], copy[name + ledger.SIGNATURE]
    assert ("page missing", name) in findings(copy, who, end=THIS_HOUR)


def test_a_record_that_was_deleted_and_created_again_is_found(
    deployment: InProcessDeployment, bucket: Bucket, keys: Keyring, who: People
) -> None:
    pages(bucket, keys)
    blob = deployment.cloud.storage.bucket(deployment.records_bucket).blob(path(0))
    content = blob.download_as_bytes()
    blob.delete()
    blob.upload_from_string(content)
    assert an_hour_later(bucket, keys)
    kinds = {kind for kind, name in findings(copied(bucket), who) if name == path(0)}
    assert kinds == {"record created twice", "record dated otherwise"}


def test_a_record_that_was_slipped_in_with_an_old_date_is_found(bucket: Bucket, keys: Keyring, who: People) -> None:
    pages(bucket, keys)
    bucket.create(path(70), record(70, THIS_HOUR - 4 * HOUR))
    an_hour_later(bucket, keys)
    assert ("record dated otherwise", path(70)) in findings(copied(bucket), who)


def test_a_part_of_the_ledger_is_walked_by_itself(bucket: Bucket, keys: Keyring, who: People) -> None:
    pages(bucket, keys)
    copy = copied(bucket)
    _altered(copy)
    bounds = {"start": THIS_HOUR - 2 * HOUR, "end": THIS_HOUR}
    assert findings(copy, who, **bounds) == []
    assert findings(copy, who, start=THIS_HOUR - 3 * HOUR, end=THIS_HOUR) == [("record altered", path(1))]


def test_records_of_later_pages_are_no_finding_where_only_an_end_is_given(
    bucket: Bucket, keys: Keyring, who: People
) -> None:
    pages(bucket, keys)
    assert findings(copied(bucket), who, end=THIS_HOUR - 3 * HOUR) == []


@pytest.mark.parametrize("form", ["%Y-%m-%dT%H:%M:%S", "%s", "%Y-%m-%d %H:%M:%S+00:00"])
def test_a_date_in_any_form_that_a_record_is_read_with_shows_what_was_slipped_in(
    bucket: Bucket, keys: Keyring, who: People, form: str
) -> None:
    pages(bucket, keys)
    at = THIS_HOUR - 4 * HOUR
    created = int(at.timestamp()) if form == "%s" else f"{at:{form}}"
    slipped = json.dumps({"record": {"created": created}}).encode()
    assert ("record added", path(60)) in findings({**copied(bucket), path(60): slipped}, who)
    bucket.create(path(60), slipped)
    an_hour_later(bucket, keys)
    assert ("record dated otherwise", path(60)) in findings(copied(bucket), who)


def test_what_is_no_record_is_passed_over(bucket: Bucket, keys: Keyring, who: People) -> None:
    pages(bucket, keys)
    assert findings({**copied(bucket), path(61): b"[" * 100_000}, who) == []


def test_what_is_later_than_the_last_page_is_counted_and_is_no_finding(
    bucket: Bucket, keys: Keyring, who: People
) -> None:
    pages(bucket, keys)
    bucket.create(path(80), record(80, datetime.now(UTC)))
    with verifier([who.signer.public]) as is_signed:
        verified = verify(copied(bucket), is_signed)
    assert (verified.newer, verified.findings) == (1, ())


def test_a_finding_says_where_it_is_and_why(bucket: Bucket, keys: Keyring, who: People) -> None:
    pages(bucket, keys)
    copy = copied(bucket)
    _altered(copy)
    with verifier([who.signer.public]) as is_signed:
        (finding,) = verify(copy, is_signed).findings
    assert isinstance(finding, Finding)
    assert finding.detail.startswith(f"It is listed in the hour from {rfc3339(THIS_HOUR - 3 * HOUR)} with SHA-256 ")
