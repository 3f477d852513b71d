"""The partner's server behaves as its profile says, in the eyes of asyncssh's client and of OpenSSH's."""

import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import asyncssh
import pytest

from localcloud.partner.in_loop import in_loop, until
from localcloud.partner.journal import Entry
from localcloud.partner.running import Running, get, put, running

Refused = Callable[[asyncssh.SFTPClient], Awaitable[object]]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One AWS server for all tests that give it no orders and use names of their own."""
    with running(tmp_path_factory.mktemp("aws"), "aws") as server:
        yield server


@in_loop
async def test_a_put_lands_under_its_name_without_any_request_that_s3_refuses(shared: Running) -> None:
    content = os.urandom(3_000_000)
    async with shared.client() as sftp:
        await put(sftp, "put.csv.pgp", content)
    assert (shared.root / "put.csv.pgp").read_bytes() == content
    assert [entry for entry in shared.entries() if entry.path == "/put.csv.pgp"] == [
        Entry("open", "/put.csv.pgp"),
        Entry("write", "/put.csv.pgp", 3_000_000),
        Entry("close", "/put.csv.pgp", 3_000_000),
    ]


@in_loop
async def test_an_object_is_invisible_until_its_handle_is_closed(shared: Running) -> None:
    async with shared.client() as sftp:
        async with sftp.open("slow.pgp", "wb") as file:
            await file.write(b"almost all")
            assert "slow.pgp" not in await sftp.listdir(".")
            assert not await sftp.exists("slow.pgp")
            assert not (shared.root / "slow.pgp").exists()
        assert (await sftp.stat("slow.pgp")).size == 10


@in_loop
async def test_a_session_that_drops_in_mid_write_stores_the_part_received(shared: Running) -> None:
    async with shared.client() as sftp:
        file = await sftp.open("dropped.pgp", "wb")
        await file.write(b"x" * 100_000)
    await until((shared.root / "dropped.pgp").exists)
    assert (shared.root / "dropped.pgp").stat().st_size == 100_000
    await until(lambda: Entry("close", "/dropped.pgp", 100_000, "cut") in shared.entries())


@in_loop
async def test_the_last_close_wins_among_writers_of_one_name(shared: Running) -> None:
    async with shared.client() as one, shared.client() as other:
        first, second = await one.open("both.pgp", "wb"), await other.open("both.pgp", "wb")
        await first.write(b"opened first, closed last")
        await second.write(b"opened last, closed first")
        await second.close()
        await first.close()
    assert (shared.root / "both.pgp").read_bytes() == b"opened first, closed last"


@in_loop
async def test_a_key_with_a_prefix_needs_no_directory(shared: Running) -> None:
    async with shared.client() as sftp:
        await put(sftp, "2026/11/23/a.pgp", b"content")
        assert await sftp.listdir("/2026/11/23") == ["a.pgp"]


async def update(sftp: asyncssh.SFTPClient) -> None:
    await sftp.open("old.pgp", asyncssh.FXF_WRITE | asyncssh.FXF_CREAT)


async def touch_open_file(sftp: asyncssh.SFTPClient) -> None:
    async with sftp.open("open.pgp", "wb") as file:
        await file.utime((1, 1))


REFUSED: dict[str, tuple[type[asyncssh.SFTPError], Refused]] = {
    "chmod": (asyncssh.SFTPOpUnsupported, lambda sftp: sftp.chmod("old.pgp", 0o600)),
    "utime": (asyncssh.SFTPOpUnsupported, lambda sftp: sftp.utime("old.pgp", (1, 1))),
    "utime of an open file": (asyncssh.SFTPOpUnsupported, touch_open_file),
    "append": (asyncssh.SFTPOpUnsupported, lambda sftp: sftp.open("old.pgp", "ab")),
    "read and write": (asyncssh.SFTPOpUnsupported, lambda sftp: sftp.open("old.pgp", "r+b")),
    "write and read": (asyncssh.SFTPOpUnsupported, lambda sftp: sftp.open("new.pgp", "w+b")),
    "update in place": (asyncssh.SFTPFailure, update),
    "mkdir": (asyncssh.SFTPPermissionDenied, lambda sftp: sftp.mkdir("new")),
    "rmdir": (asyncssh.SFTPPermissionDenied, lambda sftp: sftp.rmdir("new")),
    "rename onto an object": (asyncssh.SFTPFailure, lambda sftp: sftp.rename("old.pgp", "other.pgp")),
    "symlink": (asyncssh.SFTPOpUnsupported, lambda sftp: sftp.symlink("old.pgp", "new.pgp")),
    "exclusive creation over an object": (asyncssh.SFTPFailure, lambda sftp: sftp.open("old.pgp", "xb")),
    "leaving the root": (asyncssh.SFTPNoSuchFile, lambda sftp: sftp.stat("../host_key")),
}


@pytest.mark.parametrize("request_name", REFUSED)
@in_loop
async def test_what_s3_cannot_do_is_refused_and_changes_nothing(shared: Running, request_name: str) -> None:
    error, request = REFUSED[request_name]
    async with shared.client() as sftp:
        await put(sftp, "old.pgp", b"old")
        await put(sftp, "other.pgp", b"other")
        before = (shared.root / "old.pgp").stat()
        with pytest.raises(error):
            await request(sftp)
    assert (shared.root / "old.pgp").stat() == before
    assert (shared.root / "other.pgp").read_bytes() == b"other"
    assert not (shared.root / "new.pgp").exists()


@in_loop
async def test_no_extension_is_offered_and_one_sent_all_the_same_is_refused(shared: Running) -> None:
    def packet(body: bytes) -> bytes:
        return len(body).to_bytes(4) + body

    def text(value: bytes) -> bytes:
        return len(value).to_bytes(4) + value

    posix_rename = b"\xc8" + (1).to_bytes(4) + text(b"posix-rename@openssh.com") + text(b"a") + text(b"b")
    async with shared.connection() as connection:
        process = await connection.create_process(subsystem="sftp", encoding=None)
        process.stdin.write(packet(b"\x01" + (3).to_bytes(4)) + packet(posix_rename))
        version = await process.stdout.readexactly(9)
        assert version == packet(b"\x02" + (3).to_bytes(4))
        answer = await process.stdout.readexactly(13)
        assert answer[4:] == b"\x65" + (1).to_bytes(4) + asyncssh.FX_OP_UNSUPPORTED.to_bytes(4)


@in_loop
async def test_a_refused_setstat_is_in_the_journal(shared: Running) -> None:
    async with shared.client() as sftp:
        with pytest.raises(asyncssh.SFTPOpUnsupported):
            await sftp.chmod("absent.pgp", 0o600)
    assert Entry("setstat", "/absent.pgp", answer="unsupported") in shared.entries()


@in_loop
async def test_a_plain_rename_moves_an_object_to_a_free_name(shared: Running) -> None:
    async with shared.client() as sftp:
        await put(sftp, "a.tmp", b"content")
        await sftp.rename("a.tmp", "moved/a.pgp")
    assert (shared.root / "moved" / "a.pgp").read_bytes() == b"content"
    assert not (shared.root / "a.tmp").exists()


@in_loop
async def test_what_is_denied_is_refused_while_listing_still_tells_sizes(tmp_path: Path) -> None:
    with running(tmp_path, "aws", "--deny-stat", "--deny-rename", "--deny-read", "--deny-remove") as server:
        async with server.client() as sftp:
            await put(sftp, "a.pgp", b"content")
            for attempt in (
                sftp.stat("a.pgp"),
                sftp.lstat("a.pgp"),
                sftp.rename("a.pgp", "b.pgp"),
                sftp.open("a.pgp", "rb"),
                sftp.remove("a.pgp"),
            ):
                with pytest.raises(asyncssh.SFTPPermissionDenied):
                    await attempt
            assert [(entry.filename, entry.attrs.size) for entry in await sftp.readdir(".")] == [("a.pgp", 7)]


@in_loop
async def test_listing_can_be_denied(tmp_path: Path) -> None:
    with running(tmp_path, "aws", "--deny-list") as server:
        async with server.client() as sftp:
            with pytest.raises(asyncssh.SFTPPermissionDenied):
                await sftp.listdir(".")


@in_loop
async def test_files_put_into_the_root_are_listed_and_read(shared: Running) -> None:
    content = os.urandom(1_000_000)
    (shared.root / "returns").mkdir()
    (shared.root / "returns" / "ack.csv").write_bytes(content)
    async with shared.client() as sftp:
        assert await sftp.listdir("returns") == ["ack.csv"]
        assert await get(sftp, "returns/ack.csv") == content
        await sftp.remove("returns/ack.csv")
    assert not (shared.root / "returns" / "ack.csv").exists()


@pytest.mark.parametrize("delay", [[], ["50"]])
@in_loop
async def test_a_collected_file_vanishes_and_is_kept_aside(tmp_path: Path, delay: list[str]) -> None:
    with running(tmp_path, "aws", "--collect", *delay) as server:
        async with server.client() as sftp:
            await put(sftp, "a/b.pgp", b"content")
            await until(lambda: (tmp_path / "root.collected" / "a" / "b.pgp").exists())
            assert not await sftp.exists("a/b.pgp")
            assert await sftp.listdir("a") == []
    assert (tmp_path / "root.collected" / "a" / "b.pgp").read_bytes() == b"content"
