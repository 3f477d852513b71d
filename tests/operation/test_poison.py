"""One bad file on the returns server stops no other, and does not poison the next run."""

from __future__ import annotations

import json
import os
import stat
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from localcloud import keys
from localcloud.partner.running import running
from pipeline.collect import collection
from tests.operation.misbehaving import Entry, Table, misbehaving
from tests.operation.operator import Operator
from tests.operation.test_collect import Returns, gpg, returns

__all__ = ["returns"]

REGULAR = stat.S_IFREG | 0o644
BAD: dict[bytes, tuple[Entry, str, str | None]] = {
    b"\xff\xfe\x80.txt": (Entry(), "%FF%FE%80.txt", None),
    b"two\nlines\r\n.txt": (Entry(), "two%0Alines%0D%0A.txt", None),
    b"l" * 1000: (Entry(), "l" * 200 + "~", None),
    b"a/../payments": (Entry(), "a%2F..%2Fpayments", "It is no file that can be collected"),
    b"payments_20261123T133000Z_r1_1of1.csv.pgp": (Entry(), "payments_20261123T133000Z_r1_1of1", None),
    b"payments_99991231T230000Z_r1_1of1.csv.pgp": (Entry(), "payments_99991231T230000Z_r1_1of1", None),
    b"payments_20261123T130000Z_r" + b"9" * 900 + b"_1of1": (Entry(), "payments_20261123T130000Z_r999", None),
    b"folder": (Entry(mode=stat.S_IFDIR | 0o755), "folder", "but a directory"),
    b"link": (Entry(mode=stat.S_IFLNK | 0o777), "link", "but a link"),
    b"pipe": (Entry(mode=stat.S_IFIFO | 0o644), "pipe", "but a pipe"),
    b"huge": (Entry(size=1 << 40), "huge", "It is larger than 67108864 bytes"),
    b"not opened": (Entry(opens="error"), "not opened", "SFTPFailure"),
    b"not read": (Entry(reads="error"), "not read", "SFTPFailure"),
    b"cut at open": (Entry(opens="cut"), "cut at open", "failed"),
    b"cut at read": (Entry(reads="cut"), "cut at read", "failed"),
    b"silent at open": (Entry(opens="hang"), "silent at open", "did not answer in time"),
    b"silent at read": (Entry(reads="hang"), "silent at read", "did not answer in time"),
}


@dataclass(frozen=True)
class Poisoned:
    """The operator, and a returns server that misbehaves."""

    operator: Operator
    table: Table
    settings: dict[str, str]

    def collect(self, code: int = 0, **settings: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """What the command answers, by file name, and the events about returned files."""
        result = self.operator.run("collect", "--json", "--log", "-", **{**self.settings, **settings})
        assert result.exit_code == code, result.output
        events = [json.loads(line) for line in result.stderr.splitlines() if line.startswith("{")]
        about = [event for event in events if event["event"].startswith("returns.")]
        return {one["file_name"]: one for one in json.loads(result.stdout)}, about


@pytest.fixture
def poisoned(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Poisoned]:
    """An empty returns server that misbehaves on order; a file that is silent is given a second."""
    monkeypatch.setattr(collection, "READ_SECONDS", 1.0)
    with misbehaving() as table:
        operator.deployment.cloud.add_secret("poison-key", table.login.private)
        operator.deployment.cloud.add_secret("poison-host-keys", table.host_key.public)
        settings = {
            "RETURNS_HOST": "127.0.0.1",
            "RETURNS_PORT": str(table.port),
            "RETURNS_USER": "psp",
            "RETURNS_KEY_SECRET": "poison-key",
            "RETURNS_HOST_KEYS_SECRET": "poison-host-keys",
        }
        yield Poisoned(operator, table, settings)


@pytest.mark.parametrize("name", BAD, ids=lambda name: str(name[:20]))
def test_a_bad_file_ends_as_an_event_and_a_record_and_the_others_are_collected(poisoned: Poisoned, name: bytes) -> None:
    entry, shown, problem = BAD[name]
    unique = name.replace(b".txt", b"") + os.urandom(4).hex().encode() if len(name) < 900 else name
    good = {f"{place}-{os.urandom(4).hex()}".encode(): Entry(b"good") for place in ("a", "z")}
    poisoned.table.serve({unique: entry, **good})
    answer, events = poisoned.collect(code=1 if problem else 0, RETURNS_DELETE="true")
    (bad,) = [one for file, one in answer.items() if file.startswith(shown.removesuffix(".txt"))]
    assert all(answer[file.decode()]["problem"] is None for file in good)
    (event,) = [event for event in events if event["file"] == bad["file_name"]]
    if problem is None:
        assert (event["event"], bad["outcome"]) == ("returns.received", "collected")
        archived = poisoned.operator.deployment.cloud.storage.bucket("archive").blob(bad["archived"]["name"])
        assert archived.download_as_bytes() == b"fine"
        assert sorted(poisoned.table.removed) == sorted([unique, *good])
    else:
        assert event["event"] == "returns.failed"
        assert problem in bad["problem"]
        assert problem in event["message"]
        assert bad["archived"] is None
        assert sorted(poisoned.table.removed) == sorted(good)
    later = {b"later-" + os.urandom(4).hex().encode(): Entry(b"later")}
    poisoned.table.serve({unique: entry, **good, **later})
    answer, events = poisoned.collect()
    assert [file.encode() for file in answer] == list(later), "a finding is reported once"
    tried_again = bad["outcome"] == "failed"
    assert poisoned.table.opened == [*later, *([unique] if tried_again else [])], "what failed comes last"


def test_a_file_that_was_silent_is_collected_once_it_answers(poisoned: Poisoned) -> None:
    name = b"silent-" + os.urandom(4).hex().encode()
    poisoned.table.serve({name: Entry(reads="hang")})
    poisoned.collect(code=1)
    poisoned.table.serve({name: Entry()})
    answer, events = poisoned.collect()
    assert answer[name.decode()]["outcome"] == "collected"
    assert [event["event"] for event in events] == ["returns.received"]


def test_a_file_that_grows_without_end_is_left_and_remembered(poisoned: Poisoned) -> None:
    name = b"growing-" + os.urandom(4).hex().encode()
    poisoned.table.serve({name: Entry(grows=True), b"ok-" + name: Entry()})
    answer, events = poisoned.collect()
    assert list(answer) == [f"ok-{name.decode()}"]
    assert sorted(event["event"] for event in events) == ["returns.incomplete", "returns.received"]
    assert poisoned.collect()[1] == []


def test_many_files_are_compared_by_one_listing_of_each_side(poisoned: Poisoned) -> None:
    run = os.urandom(4).hex()
    many = {f"{run}-{number:05}".encode(): Entry() for number in range(300)}
    poisoned.table.serve(many)
    first, _ = poisoned.collect()
    assert len(first) == 300
    new = f"{run}-new"
    poisoned.table.serve({**many, new.encode(): Entry()})
    cloud = poisoned.operator.deployment.cloud
    cloud.break_storage(r"/b/records/o", "error", skip=1_000_000)  # never strikes, but counts
    try:
        answer, _ = poisoned.collect()
        (count,) = requests.get(f"{cloud.address('storage', 'url')}/_faults", timeout=5).json()
    finally:
        cloud.end_faults()
    assert list(answer) == [new]
    assert (poisoned.table.listings, poisoned.table.opened) == (1, [new.encode()])
    assert count["seen"] <= 4


def test_links_directories_and_pipes_of_a_real_server_are_reported_once(operator: Operator, tmp_path: Path) -> None:
    with running(tmp_path, "openssh") as server:
        operator.deployment.cloud.add_secret("poison-key", server.client_key.private)
        operator.deployment.cloud.add_secret("poison-host-keys", server.host_key.public)
        settings: dict[str, Any] = {
            "RETURNS_HOST": server.host,
            "RETURNS_PORT": str(server.port),
            "RETURNS_USER": server.user,
            "RETURNS_KEY_SECRET": "poison-key",
            "RETURNS_HOST_KEYS_SECRET": "poison-host-keys",
            "RETURNS_DELETE": "true",
        }
        (tmp_path / "secret").write_bytes(b"not in our directory")
        (server.root / "a link of ours").symlink_to(tmp_path / "secret")
        (server.root / "a directory of ours").mkdir()
        os.mkfifo(server.root / "a pipe of ours")
        (server.root / "a file of ours").write_bytes(b"good")
        answer = operator.answer("collect", code=1, **settings)
        assert {one["file_name"]: one["outcome"] for one in answer} == {
            "a directory of ours": "skipped",
            "a file of ours": "collected",
            "a link of ours": "skipped",
            "a pipe of ours": "skipped",
        }
        left = sorted(path.name for path in server.root.iterdir())
        assert left == ["a directory of ours", "a link of ours", "a pipe of ours"]
        assert operator.answer("collect", **settings) == []


def bomb(size: int) -> bytes:
    """A compressed OpenPGP message of this size that is not encrypted: literal data of zeros, packed twice."""
    literal = b"\xcb\xff" + size.to_bytes(4, "big") + b"b\0\0\0\0\0"
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = packed.compress(literal)
    for _ in range((size - 6) // 1_000_000):
        body += packed.compress(bytes(1_000_000))
    body += packed.compress(bytes((size - 6) % 1_000_000)) + packed.flush()
    inner = b"\xc8\xff" + (len(body) + 1).to_bytes(4, "big") + b"\x01" + body
    again = zlib.compress(inner, 9, -15)
    return b"\xc8\xff" + (len(again) + 1).to_bytes(4, "big") + b"\x01" + again


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_message_that_opens_to_gigabytes_is_kept_as_it_came(returns: Returns, encrypted: bool) -> None:
    small = bomb(1_000_000_000)
    assert len(small) < 100_000
    if encrypted:
        with keys.gnupg_home() as home:
            small = keys_sealing(home, returns.ours, small)
    returns.put("bomb.pgp", small)
    returns.put("good.txt", b"good")
    before = peak()
    answer = {one["file_name"]: one for one in returns.collect(code=1)}
    assert peak() - before < 250_000_000
    assert "opens to more than 67108864 bytes" in answer["bomb.pgp"]["problem"]
    assert (answer["bomb.pgp"]["opened"], answer["bomb.pgp"]["archived"]["size"]) == (None, len(small))
    assert answer["good.txt"]["problem"] is None
    assert returns.collect() == []


def test_plain_files_are_collected_while_our_keys_are_unusable_and_encrypted_ones_wait(returns: Returns) -> None:
    sealed = returns.sealed(b"all well", signer=returns.operator.deployment.cloud.partner_key)
    returns.put("1 sealed.pgp", sealed)
    returns.put("2 plain.txt", b"plain")
    with returns.operator.secret("pgp-signing-passphrase", b"wrong"):
        answer = returns.operator.answer("collect", code=3, **returns.settings)
        assert answer["error"]["code"] == "key-unusable"
        assert "is its passphrase the one in the secret?" in answer["error"]["message"]
    with returns.operator.secret("pgp-partner-key", b"no key"):
        returns.put("3 plain.txt", b"plain")
        assert returns.operator.answer("collect", code=3, **returns.settings)["error"]["code"] == "key-unusable"
    (one,) = returns.collect()
    assert (one["file_name"], one["signature"]) == ("1 sealed.pgp", "good, by the partner")
    assert sorted(set(returns.fetched())) == ["1 sealed.pgp", "2 plain.txt", "3 plain.txt"]


def test_keys_that_have_expired_still_open_what_was_sent_to_them(returns: Returns) -> None:
    with keys.gnupg_home() as home:
        old = keys.pgp_key(home, "PSP <psp@example.com>", passphrase="correct horse", expires_in=timedelta(days=-1))
        faked = f"--faked-system-time={int(time.time()) - 130_000}"
        words = ("--recipient", old.fingerprint, "--trust-model", "always", "--encrypt")
        sealed = gpg(home, faked, *words, content=b"all well")
    returns.put("old.pgp", sealed)
    with returns.operator.secret("pgp-signing-key", old.private):
        (one,) = returns.collect()
    assert (one["signature"], one["opened"]["size"]) == ("none", 8)


@pytest.mark.parametrize("damage", [40, -5])
def test_a_message_to_us_that_is_damaged_does_not_make_our_key_unusable(returns: Returns, damage: int) -> None:
    sealed = bytearray(returns.sealed(b"all well", signer=None))
    sealed[damage] ^= 1
    returns.put(f"damaged at {damage}.pgp", bytes(sealed))  # of one size and second: the name tells them apart
    (one,) = returns.collect()
    assert one["signature"] == "damaged"
    assert returns.collect() == []


@pytest.mark.parametrize("times", [1, 200], ids=["once", "until the time is over"])
def test_a_lost_answer_to_the_record_loses_no_alert(returns: Returns, times: int) -> None:
    cloud = returns.operator.deployment.cloud
    returns.put("ERROR.txt", b"bad IBAN")
    cloud.break_storage(r"POST .*/b/records/o", "lose", times=times)
    try:
        words = ("collect", "--json", "--log", "-")
        result = returns.operator.run(*words, **{**returns.settings, "TIME_BUDGET_SECONDS": "10"})
    finally:
        cloud.end_faults()
    assert result.exit_code == (1 if times == 1 else 3)
    assert '"event": "returns.error"' in result.stderr
    # The alarm of a typed command is recorded first; where that answer never comes, the file is said once more.
    again = [] if times == 1 else ["ERROR.txt"]
    assert [one["file_name"] for one in returns.collect(code=len(again))] == again
    assert returns.collect() == []


def test_a_delivery_of_ours_is_never_deleted_wherever_it_is_found(returns: Returns) -> None:
    hour = returns.operator.delivered(3)
    ours = returns.operator.file(hour)
    returns.put(ours.name, ours.read_bytes())
    returns.put(f"{ours.name}.ack", b"ok")
    assert len(returns.collect(RETURNS_DELETE="true")) == 2
    assert [path.name for path in returns.server.root.iterdir()] == [ours.name]


def test_certify_reads_a_listing_with_a_name_that_is_not_utf_8(operator: Operator) -> None:
    hour = operator.delivered(3)
    odd = os.fsencode(operator.deployment.files) + b"/\xff\xfe"
    Path(os.fsdecode(odd)).write_bytes(b"odd")
    try:
        assert operator.verdict(hour) == "certified"
    finally:
        Path(os.fsdecode(odd)).unlink()


def keys_sealing(home: Path, recipient: keys.PgpKey, packets: bytes) -> bytes:
    """Packets as they are, encrypted to a key."""
    gpg(home, "--import", content=recipient.public)
    words = ("--no-literal", "--compress-algo", "none", "--recipient", recipient.fingerprint, "--trust-model", "always")
    return gpg(home, *words, "--encrypt", content=packets)


def peak() -> int:
    """Bytes of memory that this process has held at most."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def test_a_file_named_as_another_one_opened_would_be_stops_neither(returns: Returns) -> None:
    sealed = returns.sealed(b"all well", signer=returns.operator.deployment.cloud.partner_key)
    returns.put("report.pgp", sealed)
    for name in ("report.pgp.opened", "opened"):
        returns.put(name, b"other")
    answer = {one["file_name"]: one for one in returns.collect()}
    assert {name: one["problem"] for name, one in answer.items()} == dict.fromkeys(answer)
    bucket = returns.operator.deployment.cloud.storage.bucket("archive")
    assert bucket.blob(answer["report.pgp"]["opened"]["name"]).download_as_bytes() == b"all well"
    assert bucket.blob(answer["report.pgp.opened"]["archived"]["name"]).download_as_bytes() == b"other"
