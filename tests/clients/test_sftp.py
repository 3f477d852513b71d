"""The partner's server: only the pinned one is spoken to, a file appears whole under its name, and nothing hangs."""

import asyncio
import gc
import os
import stat
import subprocess
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from localcloud.keys import SshAlgorithm, SshKey, ssh_key
from localcloud.partner.faults import Fault, OperationName
from localcloud.partner.journal import Entry
from localcloud.partner.running import Running, running
from localcloud.waiting import until
from pipeline.budget import Budget
from pipeline.clients import connection, sftp
from pipeline.clients.directory import directory, listing
from pipeline.clients.sftp import Placed
from pipeline.clients.ssh import Server
from pipeline.errors import (
    CredentialsUnavailable,
    OutOfTime,
    PartnerRefused,
    PartnerUnavailable,
    PartnerUntrusted,
    PipelineError,
    UploadDiffers,
)

CONTENT = os.urandom(300_000)
PIECE = 8 * 1024 * 1024
"""Bytes of a chunk, as the archive hands them out."""
NAME = "payments_20261123T130000Z_r1_1of1.csv.pgp"


@pytest.fixture(scope="module")
def kept_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("aws"), "aws") as server:
        yield server


@pytest.fixture(scope="module")
def kept_openssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("openssh"), "openssh") as server:
        yield server


@pytest.fixture(scope="module")
def kept_closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("closed"), "aws", "--deny-stat", "--deny-list") as server:
        yield server


@pytest.fixture(scope="module")
def kept_collecting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("collecting"), "aws", "--collect") as server:
        yield server


def emptied(server: Running) -> Running:
    """The server without files, orders and entries of the test before."""
    for path in (*server.root.iterdir(), *server.directory.glob("root.*/*")):
        path.unlink()
    (server.directory / "faults.json").unlink(missing_ok=True)
    (server.directory / "log").write_text("")
    return server


@pytest.fixture
def aws(kept_aws: Running) -> Running:
    return emptied(kept_aws)


@pytest.fixture
def openssh(kept_openssh: Running) -> Running:
    return emptied(kept_openssh)


@pytest.fixture
def closed(kept_closed: Running) -> Running:
    """A server that lets us neither ask for a file nor list."""
    return emptied(kept_closed)


@pytest.fixture
def collecting(kept_collecting: Running) -> Running:
    """A server whose owner takes every file at once."""
    return emptied(kept_collecting)


@pytest.fixture(params=["aws", "openssh"])
def either(request: pytest.FixtureRequest) -> Running:
    found: Running = request.getfixturevalue(request.param)
    return found


def server_of(there: Running, seconds: float = 30, **others: Any) -> Server:
    """Where the server is for so long, with the right keys unless others are given."""
    keys = (there.client_key.private, there.host_key.public)
    right = Server(there.host, there.port, there.user, "", *keys, Budget.of(seconds))
    return replace(right, **others)


def put(
    there: Running,
    chunks: Iterator[bytes] | list[bytes],
    *,
    rename: bool = False,
    name: str = NAME,
    attempt: str = "a1",
    seconds: float = 60,
    **others: Any,
) -> Placed:
    """Put the chunks there."""
    return sftp.put(iter(chunks), server_of(there, seconds, **others), name, attempt=attempt, rename=rename)


def visible(there: Running) -> list[str]:
    """Every name in the directory, temporary ones too."""
    return sorted(path.name for path in there.root.iterdir())


def operations(there: Running) -> list[str]:
    """What was asked of the server, in order; a login is asked for twice, without and with a signature."""
    return [operation for operation, _ in groupby(entry.operation for entry in there.entries())]


# What arrives


@pytest.mark.parametrize("rename", [False, True], ids=["direct", "rename"])
def test_a_file_arrives_whole_under_its_name_alone_and_its_size_is_confirmed(either: Running, rename: bool) -> None:
    placed = put(either, [CONTENT[:7], b"", CONTENT[7:]], rename=rename)
    assert visible(either) == [NAME]
    assert (either.root / NAME).read_bytes() == CONTENT
    assert (placed.bytes, placed.confirmation) == (len(CONTENT), "size")


@pytest.mark.parametrize("rename", [False, True], ids=["direct", "rename"])
@pytest.mark.parametrize("size", [0, 1, PIECE, 2 * PIECE + 1])
def test_any_size_arrives(either: Running, rename: bool, size: int) -> None:
    content = os.urandom(size)
    chunks = (content[start : start + 1_000_000] for start in range(0, size, 1_000_000))
    assert put(either, chunks, rename=rename).bytes == size
    assert (either.root / NAME).read_bytes() == content


def test_a_server_in_front_of_s3_is_asked_for_nothing_that_it_refuses(aws: Running) -> None:
    put(aws, [CONTENT])
    assert operations(aws) == ["connect", "auth", "open", "write", "close", "stat"]
    assert {entry.answer for entry in aws.entries()} == {"ok"}


def test_a_rename_sets_no_attributes_makes_no_directory_and_appends_nothing(aws: Running) -> None:
    put(aws, [CONTENT], rename=True)
    assert set(operations(aws)) == {"connect", "auth", "list", "open", "write", "close", "stat", "rename"}
    assert {entry.answer for entry in aws.entries()} == {"ok"}


def test_files_go_to_the_directory_of_the_setting(aws: Running, openssh: Running) -> None:
    (openssh.root / "inbox").mkdir()
    try:
        for there in (aws, openssh):
            put(there, [CONTENT], directory="inbox/")
            assert (there.root / "inbox" / NAME).read_bytes() == CONTENT
    finally:
        for there in (aws, openssh):
            (there.root / "inbox" / NAME).unlink()
            (there.root / "inbox").rmdir()


def test_a_directory_that_is_not_there_is_not_made(openssh: Running) -> None:
    with pytest.raises(PartnerRefused, match=r"refuses an operation for .*: SFTPNoSuchFile"):
        put(openssh, [CONTENT], directory="inbox")
    assert visible(openssh) == []


@pytest.mark.parametrize("rename", [False, True], ids=["direct", "rename"])
def test_what_stood_under_the_name_is_replaced(openssh: Running, rename: bool) -> None:
    (openssh.root / NAME).write_bytes(b"older and longer" * 100_000)
    put(openssh, [CONTENT], rename=rename)
    assert (openssh.root / NAME).read_bytes() == CONTENT


def test_the_final_name_is_never_visible_half_where_files_are_renamed(openssh: Running) -> None:
    seen: list[list[str]] = []

    def chunks() -> Iterator[bytes]:
        for _ in range(4):
            seen.append([name for name in visible(openssh) if not name.startswith(".")])
            yield os.urandom(PIECE)

    put(openssh, chunks(), rename=True)
    assert seen == [[]] * 4
    assert visible(openssh) == [NAME]
    assert (openssh.root / NAME).stat().st_size == 4 * PIECE


def test_the_old_file_stays_whole_until_the_new_one_takes_its_name(openssh: Running) -> None:
    (openssh.root / NAME).write_bytes(b"old")
    seen: list[bytes] = []

    def chunks() -> Iterator[bytes]:
        for _ in range(3):
            seen.append((openssh.root / NAME).read_bytes())
            yield os.urandom(PIECE)

    put(openssh, chunks(), rename=True)
    assert seen == [b"old"] * 3


def test_a_temporary_name_is_hidden_and_the_attempts_own(openssh: Running) -> None:
    seen: set[str] = set()

    def chunks() -> Iterator[bytes]:
        for _ in range(3):
            seen.update(visible(openssh))
            yield os.urandom(PIECE)

    put(openssh, chunks(), rename=True, attempt="4711")
    assert seen == {f".{NAME}.4711.part"}


def test_what_killed_attempts_left_of_this_file_is_swept_and_nothing_else(either: Running) -> None:
    others = ["identity.csv.pgp", ".identity.csv.pgp.x.part", f".{NAME}", f"{NAME}.x.part"]
    for name in (f".{NAME}.dead.part", f".{NAME}.gone.part", *others):
        (either.root / name).write_bytes(b"left")
    put(either, [CONTENT], rename=True)
    assert visible(either) == sorted([NAME, *others])


# Confirmation


@pytest.mark.parametrize("rename", [False, True], ids=["direct", "rename"])
def test_a_server_that_denies_stat_is_believed_and_the_record_says_so(closed: Running, rename: bool) -> None:
    assert put(closed, [CONTENT], rename=rename).confirmation == "not permitted"
    assert visible(closed) == [NAME]
    assert (closed.root / NAME).read_bytes() == CONTENT


def test_a_file_that_is_collected_at_once_is_not_lost(collecting: Running) -> None:
    assert put(collecting, [CONTENT]).confirmation == "already collected"
    assert (collecting.directory / "root.collected" / NAME).read_bytes() == CONTENT


def test_a_server_that_swallowed_bytes_is_found_out(aws: Running) -> None:
    aws.order(Fault("write", "short", after_bytes=100_000))
    with pytest.raises(UploadDiffers, match=f"300000 bytes of {NAME} were sent; the server holds 100000"):
        put(aws, [CONTENT])


def test_a_file_whose_size_differs_never_gets_its_name(aws: Running) -> None:
    aws.order(Fault("write", "short", after_bytes=100_000))
    with pytest.raises(UploadDiffers):
        put(aws, [CONTENT], rename=True)
    assert NAME not in visible(aws)


# Trust


def listening_key(there: Running) -> str:
    """The host key as ssh-keygen names it."""
    (there.directory / "shown.pub").write_bytes(there.host_key.public + b"\n")
    done = subprocess.run(
        ["ssh-keygen", "-l", "-f", str(there.directory / "shown.pub")], capture_output=True, text=True, check=True
    )
    return done.stdout.split()[1]


def test_a_wrong_host_key_is_refused_before_authentication(aws: Running) -> None:
    with pytest.raises(PartnerUntrusted, match="shows a host key that is not pinned"):
        put(aws, [CONTENT], host_keys=ssh_key().public)
    assert operations(aws) == ["connect"]
    assert visible(aws) == []


def test_a_wrong_host_key_of_openssh_is_refused_before_authentication(openssh: Running) -> None:
    with pytest.raises(PartnerUntrusted):
        put(openssh, [CONTENT], host_keys=ssh_key().public)
    log = openssh.directory / "log"
    until(lambda: "[preauth]" in log.read_text(), log)  # sshd writes when it has seen the client leave
    assert "Accepted" not in log.read_text()


def test_several_keys_may_be_pinned_in_several_spellings(either: Running) -> None:
    lines = [
        b"# the partner's keys, old and new",
        ssh_key("ecdsa-sha2-nistp256").public,
        b"",
        b"sftp.example.com " + ssh_key().public,
        b"[sftp.example.com]:2222 " + either.host_key.public + b" comment",
    ]
    assert put(either, [CONTENT], host_keys=b"\r\n".join(lines)).confirmation == "size"


def test_the_key_that_the_server_showed_is_reported_as_ssh_keygen_shows_it(either: Running) -> None:
    assert put(either, [b"x"]).host_key == listening_key(either)
    assert connection.inspect(server_of(either)).host_key == listening_key(either)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "No host key is pinned"),
        (b"# none yet\n\n", "No host key is pinned"),
        (b"ssh-ed25519 AAAA", "Line 1 of the pinned host keys is not a public key"),
        (b"\n\nsftp.example.com ssh-ed25519 not+base64", "Line 3 of the pinned host keys"),
        (b"ssh-ed25519 " + b"A" * 68, "Line 1 of the pinned host keys"),
        (b"SHA256:fingerprint", "Line 1 of the pinned host keys"),
        (b"\xff\xfe\x00", "Line 1 of the pinned host keys"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----", "Line 1 of the pinned host keys"),
    ],
)
def test_pinned_keys_that_cannot_be_read_are_said_by_line(aws: Running, content: bytes, reason: str) -> None:
    with pytest.raises(CredentialsUnavailable, match=reason):
        put(aws, [CONTENT], host_keys=content)
    assert operations(aws) == []


def with_passphrase() -> bytes:
    """A private key that nobody can use without its passphrase."""
    return asyncssh.generate_private_key("ssh-ed25519").export_private_key("openssh", passphrase="secret")


@pytest.mark.parametrize(
    "key", [b"", b"not a key", ssh_key().public, with_passphrase()], ids=["empty", "text", "public", "passphrase"]
)
def test_a_login_key_that_cannot_be_read_is_said_to_be_none(aws: Running, key: bytes) -> None:
    with pytest.raises(
        CredentialsUnavailable, match="private key in OpenSSH or PEM form without a passphrase"
    ) as caught:
        put(aws, [CONTENT], key=key)
    assert "secret" not in caught.value.message.replace("SSH key's secret", "")
    assert operations(aws) == []


def test_a_login_key_that_the_server_does_not_know_is_refused(either: Running) -> None:
    with pytest.raises(PartnerRefused, match="does not accept our key"):
        put(either, [CONTENT], key=ssh_key().private)
    assert visible(either) == []


def test_configuration_and_agent_of_the_machine_have_no_say(
    aws: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("Host *\n  Port 1\n  User nobody\n  ProxyCommand /bin/false\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "no-agent"))
    assert put(aws, [CONTENT]).confirmation == "size"


def test_a_server_is_shown_without_its_keys(aws: Running) -> None:
    assert "PRIVATE" not in repr(server_of(aws))
    assert "ssh-ed25519" not in repr(server_of(aws))


class Watched(asyncssh.SSHServer):
    """An ordinary server of asyncssh that remembers what was agreed on."""

    agreed: dict[str, Any] = {}  # noqa: RUF012  # one server, one connection

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.connection = conn

    def auth_completed(self) -> None:
        for name in ("recv_cipher", "send_cipher", "recv_mac", "recv_compression", "username"):
            Watched.agreed[name] = self.connection.get_extra_info(name)


@contextmanager
def watched(directory: Path, host_key: SshKey, login: SshKey, **options: Any) -> Iterator[Server]:
    """Such a server on a thread of its own, with `options` of asyncssh.listen; where it is."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=Watched,
            server_host_keys=[asyncssh.import_private_key(host_key.private)],
            authorized_client_keys=asyncssh.import_authorized_keys(login.public.decode()),
            sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=str(directory).encode()),
            **options,
        )

    acceptor = asyncio.run_coroutine_threadsafe(listen(), loop).result(30)
    try:
        port = acceptor.get_port()
        yield Server("127.0.0.1", port, "psp", "", login.private, host_key.public, Budget.of(60))
    finally:
        loop.call_soon_threadsafe(acceptor.close)
        asyncio.run_coroutine_threadsafe(acceptor.wait_closed(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_aes_in_gcm_is_agreed_on_and_no_compression(tmp_path: Path) -> None:
    with watched(tmp_path, ssh_key(), ssh_key()) as server:
        sftp.put(iter([CONTENT]), server, NAME, attempt="a", rename=False)
    assert Watched.agreed == {
        "recv_cipher": "aes128-gcm@openssh.com",
        "send_cipher": "aes128-gcm@openssh.com",
        "recv_mac": "aes128-gcm@openssh.com",
        "recv_compression": "none",
        "username": "psp",
    }
    assert (tmp_path / NAME).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("options", "kex", "post_quantum"),
    [
        ({}, "mlkem768x25519-sha256", True),
        ({"kex_algs": ["ecdh-sha2-nistp521", "mlkem1024nistp384-sha384"]}, "mlkem1024nistp384-sha384", True),
        ({"kex_algs": ["diffie-hellman-group14-sha256", "ecdh-sha2-nistp384"]}, "ecdh-sha2-nistp384", False),
        ({"encryption_algs": ["aes256-ctr"]}, "mlkem768x25519-sha256", True),
    ],
)
def test_how_a_connection_is_protected_is_reported_as_it_was_agreed_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, options: dict[str, Any], kex: str, post_quantum: bool
) -> None:
    asyncssh.set_debug_level(2)  # its own log, which names the algorithm in use
    try:
        with caplog.at_level("DEBUG", "asyncssh"), watched(tmp_path, ssh_key(), ssh_key(), **options) as server:
            protection = sftp.put(iter([CONTENT]), server, NAME, attempt="a", rename=False).protection
    finally:
        asyncssh.set_debug_level(1)
    assert (protection.kex, protection.post_quantum) == (kex, post_quantum)
    assert f"Key exchange alg: {kex}\n" in caplog.text
    assert (protection.cipher, protection.mac) == (Watched.agreed["recv_cipher"], Watched.agreed["recv_mac"])


WEAK: dict[str, dict[str, Any]] = {
    "a key exchange with SHA-1": {"kex_algs": ["diffie-hellman-group14-sha1"]},
    "a key exchange with a small group": {"kex_algs": ["diffie-hellman-group-exchange-sha256"]},
    "a key exchange by RSA of 2,048 bits": {"kex_algs": ["rsa2048-sha256"]},
    "a MAC with SHA-1": {"encryption_algs": ["aes128-ctr"], "mac_algs": ["hmac-sha1", "hmac-sha1-etm@openssh.com"]},
    "a truncated MAC": {"encryption_algs": ["aes128-ctr"], "mac_algs": ["hmac-sha2-256-96"]},
    "a cipher that was given up": {"encryption_algs": ["aes128-cbc", "3des-cbc"]},
}


@pytest.mark.parametrize("weakness", WEAK)
def test_a_server_that_offers_nothing_else_is_not_spoken_to(tmp_path: Path, weakness: str) -> None:
    with (
        watched(tmp_path, ssh_key(), ssh_key(), **WEAK[weakness]) as server,
        pytest.raises(PartnerUnavailable, match="offers no key exchange, host key, cipher or MAC that we accept"),
    ):
        sftp.put(iter([CONTENT]), server, NAME, attempt="a", rename=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"])
def test_a_host_key_that_is_not_pinned_is_shown_beside_those_that_are(tmp_path: Path, kind: SshAlgorithm) -> None:
    shown, pinned = ssh_key(kind), ssh_key()
    with watched(tmp_path, shown, ssh_key()) as server, pytest.raises(PartnerUntrusted) as caught:
        connection.inspect(replace(server, host_keys=pinned.public))
    message = caught.value.message
    for key in (shown, pinned):
        line = b" ".join(key.public.split()[:2]).decode()
        assert line in message
        assert str(asyncssh.import_public_key(key.public).get_fingerprint()) in message
    assert message.index(shown.public.split()[1].decode()) < message.index(pinned.public.split()[1].decode())


def test_what_a_server_offers_is_reported(tmp_path: Path, openssh: Running) -> None:
    with watched(tmp_path, ssh_key(), ssh_key()) as server:
        offer = connection.inspect(server).offer
    assert offer.summary.startswith("key exchange is post-quantum; accepted of what it offers: key exchange mlkem768")
    assert "diffie-hellman-group14-sha1" in offer.key_exchanges
    assert "sha1" not in offer.summary
    theirs = connection.inspect(server_of(openssh)).offer
    assert "curve25519-sha256" in theirs.key_exchanges
    assert "hmac-sha2-256-etm@openssh.com" in theirs.macs
    assert "aes256-gcm@openssh.com" in theirs.ciphers
    assert "ssh-ed25519" in theirs.host_keys


def test_a_login_key_is_read_however_it_was_saved(aws: Running) -> None:
    windows = b"\xef\xbb\xbf" + aws.client_key.private.replace(b"\n", b"\r\n")
    pinned = b"\xef\xbb\xbf" + aws.host_key.public + b"\r\n"
    assert put(aws, [CONTENT], key=windows, host_keys=pinned).confirmation == "size"


# What goes wrong


class Broken(Exception):
    """The source's own."""


@pytest.mark.parametrize("rename", [False, True], ids=["direct", "rename"])
@pytest.mark.parametrize("after", [0, 3], ids=["before the first chunk", "after some"])
def test_a_source_that_fails_is_heard_and_leaves_no_file(either: Running, rename: bool, after: int) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(after):
            yield os.urandom(PIECE)
        raise Broken

    with pytest.raises(Broken):
        put(either, chunks(), rename=rename)
    assert visible(either) == []


@pytest.mark.parametrize("operation", ["connect", "auth", "open", "write", "close"])
@pytest.mark.parametrize("action", ["error", "drop"])
@pytest.mark.parametrize("rename", [False, True], ids=["direct", "rename"])
def test_after_a_failure_another_attempt_delivers(aws: Running, operation: Any, action: Any, rename: bool) -> None:
    aws.order(Fault(operation, action))
    with pytest.raises(PartnerUnavailable):
        put(aws, [CONTENT], rename=rename)
    assert not rename or NAME not in visible(aws)
    assert put(aws, [CONTENT], rename=rename, attempt="a2").confirmation == "size"
    assert visible(aws) == [NAME]
    assert (aws.root / NAME).read_bytes() == CONTENT


def test_a_connection_that_drops_in_mid_write_leaves_no_half_file_under_the_final_name(aws: Running) -> None:
    aws.order(Fault("write", "drop", after_bytes=100_000))
    with pytest.raises(PartnerUnavailable, match=r"The connection to .* failed"):
        put(aws, [CONTENT], rename=True)
    assert [name for name in visible(aws) if not name.startswith(".")] == []


@pytest.mark.parametrize("answer", ["lose", "drop", "error"])
def test_a_rename_of_which_nothing_was_heard_is_repeated_until_the_file_is_there(aws: Running, answer: Any) -> None:
    aws.order(Fault("rename", answer))
    with pytest.raises(PartnerUnavailable):
        put(aws, [CONTENT], rename=True)
    assert (visible(aws) == [NAME]) == (answer == "lose")
    assert put(aws, [CONTENT], rename=True, attempt="a2").confirmation == "size"
    assert visible(aws) == [NAME]
    assert (aws.root / NAME).read_bytes() == CONTENT


def test_a_concurrent_attempt_that_was_faster_to_rename_is_a_success(aws: Running) -> None:
    """The final name is taken, by just these bytes, between the listing and the rename."""

    def chunks() -> Iterator[bytes]:
        yield CONTENT
        (aws.root / NAME).write_bytes(CONTENT)

    assert put(aws, chunks(), rename=True).confirmation == "size"
    assert visible(aws) == [NAME]
    assert Entry("rename", f"/.{NAME}.a1.part", 0, "failure", f"/{NAME}") in aws.entries()


def test_a_taken_name_with_another_size_is_a_failure(aws: Running) -> None:
    (aws.root / NAME).write_bytes(b"something else")
    with pytest.raises(PipelineError):
        put(aws, [CONTENT], rename=True)
    assert (aws.root / NAME).read_bytes() == b"something else"


def test_a_server_that_is_not_there_is_said_not_to_be(aws: Running) -> None:
    for others in ({"port": 1}, {"host": "no-such-host.invalid"}):
        with pytest.raises(PartnerUnavailable, match="failed"):
            put(aws, [CONTENT], **others)


SOON = 25.0
"""Seconds, fewer than a try to connect or the pause of a keep-alive message may take, and plenty on a busy machine."""

HANGS: dict[str, tuple[OperationName, Callable[[Server, str], object]]] = {
    "open a file to write": ("open", lambda server, name: putting(server, name, rename=False)),
    "write": ("write", lambda server, name: putting(server, name, rename=False)),
    "close": ("close", lambda server, name: putting(server, name, rename=False)),
    "confirm": ("stat", lambda server, name: putting(server, name, rename=False)),
    "sweep": ("list", lambda server, name: putting(server, name, rename=True)),
    "rename": ("rename", lambda server, name: putting(server, name, rename=True)),
    "list": ("list", lambda server, _: listing(server)),
    "ask for a size": ("stat", lambda server, name: sizes(server, [name])),
    "open a file to read": ("open", lambda server, name: read(server, name)),
    "read": ("read", lambda server, name: read(server, name)),
}


def putting(server: Server, name: str, *, rename: bool) -> Placed:
    """Put a file there."""
    return sftp.put(iter([CONTENT]), server, name, attempt="a1", rename=rename)


def sizes(server: Server, names: list[str]) -> dict[str, int | None] | None:
    """Ask for the sizes of files there."""
    with directory(server) as there:
        return there.sizes(names)


def read(server: Server, name: str, most: int = 1_000_000) -> bytearray:
    """Read a file there, or its beginning."""
    with directory(server) as there:
        return there.read(name, most, 60)


def test_a_server_that_hangs_ends_within_the_budget_and_leaves_no_thread(
    aws: Running, caplog: pytest.LogCaptureFixture
) -> None:
    """All at once, each with a file of its own, because every one of them waits."""
    names = {case: f"{number}.pgp" for number, case in enumerate(HANGS)}
    for name in names.values():
        (aws.root / name).write_bytes(CONTENT)
    matches = {case: "" if HANGS[case][0] == "list" else f"*{name}*" for case, name in names.items()}
    aws.order(*(Fault(HANGS[case][0], "hang", name=match) for case, match in matches.items()))
    before = set(threading.enumerate())

    def ended(case: str) -> tuple[type[BaseException] | None, bool]:
        began = time.monotonic()
        with pytest.raises(PipelineError) as caught:
            HANGS[case][1](server_of(aws, 2), names[case])
        return caught.type, time.monotonic() - began < SOON

    with ThreadPoolExecutor(len(HANGS)) as pool:
        outcomes = dict(zip(HANGS, pool.map(ended, HANGS), strict=True))
    assert outcomes == dict.fromkeys(HANGS, (OutOfTime, True))
    gc.collect()
    assert "never retrieved" not in caplog.text
    assert set(threading.enumerate()) - before == set()


@pytest.mark.parametrize("operation", ["connect", "auth"])
def test_a_server_that_hangs_at_the_door_ends_within_the_budget(aws: Running, operation: Any) -> None:
    aws.order(Fault(operation, "hang"))
    began = time.monotonic()
    before = set(threading.enumerate())
    with pytest.raises((OutOfTime, PartnerUnavailable)):
        put(aws, [CONTENT], seconds=1)
    assert time.monotonic() - began < SOON
    assert set(threading.enumerate()) - before == set()


def test_a_budget_that_is_over_does_not_connect(aws: Running) -> None:
    with pytest.raises(OutOfTime):
        sftp.put(iter([CONTENT]), server_of(aws, -1), NAME, attempt="a", rename=False)
    assert operations(aws) == []


# Listing, fetching, removing


def test_a_listing_names_files_with_their_sizes_and_no_directories(either: Running) -> None:
    (either.root / "b.pgp").write_bytes(b"xyz")
    (either.root / "a.pgp").write_bytes(b"")
    (either.root / "folder").mkdir()
    try:
        found = listing(server_of(either))
    finally:
        (either.root / "folder").rmdir()
    assert found is not None
    assert [(one.name, one.size) for one in found] == [("a.pgp", 0), ("b.pgp", 3)]
    assert all(abs(one.modified - time.time()) < 600 for one in found)


def test_a_listing_that_is_closed_to_us_is_none_and_so_are_sizes(closed: Running) -> None:
    assert listing(server_of(closed)) is None
    assert sizes(server_of(closed), ["a.pgp"]) is None


def test_sizes_are_those_of_the_files_that_are_there(either: Running) -> None:
    (either.root / "a.pgp").write_bytes(b"xyz")
    found = sizes(server_of(either), ["a.pgp", "b.pgp"])
    assert found == {"a.pgp": 3, "b.pgp": None}


def test_a_file_is_read_up_to_a_limit_and_a_missing_one_leaves_the_connection_usable(either: Running) -> None:
    (either.root / "error.txt").write_bytes(CONTENT)
    with directory(server_of(either)) as there:
        assert there.read("error.txt", len(CONTENT), 60) == CONTENT
        assert there.read("error.txt", len(CONTENT) + 1, 60) == CONTENT
        with pytest.raises(PartnerRefused, match="SFTPNoSuchFile"):
            there.read("none.txt", 10, 60)
        assert there.read("error.txt", 1000, 60) == CONTENT[:1000]


def test_a_large_file_is_held_once_while_it_is_read(aws: Running) -> None:
    size = 16 * 1024 * 1024
    (aws.root / "large.bin").write_bytes(os.urandom(1024) * (size // 1024))
    with directory(server_of(aws, 120)) as there:
        tracemalloc.start()
        try:
            content = there.read("large.bin", size + 1, 120)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert len(content) == size
    assert peak < 2 * size


def test_removing_a_file_twice_does_nothing_the_second_time(either: Running) -> None:
    (either.root / "a.pgp").write_bytes(b"x")
    with directory(server_of(either)) as there:
        for _ in range(2):
            there.remove("a.pgp")
    assert visible(either) == []


def test_files_at_the_partner_are_left_with_its_own_modes(openssh: Running) -> None:
    put(openssh, [CONTENT])
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((openssh.root / NAME).stat().st_mode) == 0o666 & ~umask
