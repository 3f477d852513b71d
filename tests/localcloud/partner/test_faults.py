"""Each fault that a test can order does what it says, once or as often as ordered, and nothing else."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from localcloud.partner.faults import Fault, OperationName
from localcloud.partner.in_loop import in_loop, until
from localcloud.partner.journal import Entry
from localcloud.partner.running import Running, get, put, running

CONTENT = bytes(range(256)) * 400
CUT = (asyncssh.SFTPConnectionLost, asyncssh.ConnectionLost, asyncssh.SFTPNoConnection, ConnectionError)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("partner"), "aws") as server:
        yield server


@pytest.fixture
def server(kept: Running) -> Running:
    """The server of this module without orders, files and entries."""
    kept.order()
    for file in kept.root.iterdir():
        file.unlink()
    (kept.directory / "log").write_text("")
    return kept


REQUESTS: dict[OperationName, Callable[[asyncssh.SFTPClient], Awaitable[object]]] = {
    "open": lambda sftp: put(sftp, "new.pgp", CONTENT),
    "write": lambda sftp: put(sftp, "new.pgp", CONTENT),
    "close": lambda sftp: put(sftp, "new.pgp", CONTENT),
    "read": lambda sftp: get(sftp, "old.pgp"),
    "stat": lambda sftp: sftp.stat("old.pgp"),
    "rename": lambda sftp: sftp.rename("old.pgp", "moved.pgp"),
    "list": lambda sftp: sftp.listdir("."),
    "remove": lambda sftp: sftp.remove("old.pgp"),
}


@pytest.mark.parametrize("operation", REQUESTS)
@in_loop
async def test_an_error_fails_the_request_and_the_next_one_succeeds(server: Running, operation: OperationName) -> None:
    (server.root / "old.pgp").write_bytes(CONTENT)
    server.order(Fault(operation, "error"))
    async with server.client() as sftp:
        with pytest.raises(asyncssh.SFTPFailure):
            await REQUESTS[operation](sftp)
        await REQUESTS[operation](sftp)


@pytest.mark.parametrize("operation", REQUESTS)
@in_loop
async def test_a_drop_cuts_the_connection_and_the_next_one_succeeds(server: Running, operation: OperationName) -> None:
    (server.root / "old.pgp").write_bytes(CONTENT)
    server.order(Fault(operation, "drop"))
    with pytest.raises(CUT):
        async with server.client() as sftp:
            await REQUESTS[operation](sftp)
    async with server.client() as sftp:
        await REQUESTS[operation](sftp)


@pytest.mark.parametrize("operation", REQUESTS)
@in_loop
async def test_a_hang_never_answers(server: Running, operation: OperationName) -> None:
    (server.root / "old.pgp").write_bytes(CONTENT)
    server.order(Fault(operation, "hang"))
    async with server.connection() as connection:
        sftp = await connection.start_sftp_client()
        request = asyncio.ensure_future(REQUESTS[operation](sftp))
        async with server.client() as other:  # a whole session of another client fits into the silence
            await other.realpath(".")
        assert not request.done()
        connection.abort()
        await asyncio.wait({request})
        assert request.exception() is not None
    await until(lambda: "cut" in [entry.answer for entry in server.entries()])


@pytest.mark.parametrize(
    ("operation", "proof"),
    [
        ("close", lambda root: (root / "new.pgp").read_bytes() == CONTENT),
        ("rename", lambda root: (root / "moved.pgp").read_bytes() == CONTENT),
        ("remove", lambda root: not (root / "old.pgp").exists()),
    ],
)
@in_loop
async def test_a_lost_answer_hides_that_the_request_was_done(
    server: Running, operation: OperationName, proof: Callable[[Path], bool]
) -> None:
    (server.root / "old.pgp").write_bytes(CONTENT)
    server.order(Fault(operation, "lose"))
    with pytest.raises(CUT):
        async with server.client() as sftp:
            await REQUESTS[operation](sftp)
    assert proof(server.root)
    assert "lost" in [entry.answer for entry in server.entries() if entry.operation == operation]


@in_loop
async def test_a_drop_in_mid_write_stores_exactly_the_bytes_before_it(server: Running) -> None:
    server.order(Fault("write", "drop", after_bytes=54_321))
    with pytest.raises(CUT):
        async with server.client() as sftp:
            await put(sftp, "a.pgp", CONTENT)
    await until((server.root / "a.pgp").exists)
    assert (server.root / "a.pgp").read_bytes() == CONTENT[:54_321]


@in_loop
async def test_an_error_at_close_stores_nothing(server: Running) -> None:
    server.order(Fault("close", "error"))
    async with server.client() as sftp:
        with pytest.raises(asyncssh.SFTPFailure):
            await put(sftp, "a.pgp", CONTENT)
        assert await sftp.listdir(".") == []
    assert list((server.directory / "root.incoming").iterdir()) == []


@in_loop
async def test_a_flip_changes_one_bit_of_what_is_stored_or_served(server: Running) -> None:
    expected = bytearray(CONTENT)
    expected[50_000] ^= 1
    server.order(Fault("write", "flip", after_bytes=50_000), Fault("read", "flip", after_bytes=50_000))
    async with server.client() as sftp:
        await put(sftp, "a.pgp", CONTENT)
        assert (server.root / "a.pgp").read_bytes() == expected
        assert await get(sftp, "a.pgp") == CONTENT
        assert await get(sftp, "a.pgp") == expected


@in_loop
async def test_short_claims_success_for_bytes_that_it_swallows(server: Running) -> None:
    server.order(Fault("write", "short", 40_000), Fault("read", "short", 30_000), Fault("close", "short", name="b*"))
    async with server.client() as sftp:
        await put(sftp, "a.pgp", CONTENT)
        assert (server.root / "a.pgp").read_bytes() == CONTENT[:40_000]
        assert await get(sftp, "a.pgp") == CONTENT[:30_000]
        await put(sftp, "b.pgp", CONTENT)
        assert not await sftp.exists("b.pgp")
    assert Entry("write", "/a.pgp", len(CONTENT)) in server.entries()


@pytest.mark.parametrize("operation", ["connect", "auth"])
@pytest.mark.parametrize("action", ["error", "drop"])
@in_loop
async def test_a_client_that_is_turned_away_may_come_again(server: Running, operation: Any, action: Any) -> None:
    server.order(Fault(operation, action))
    with pytest.raises((asyncssh.Error, OSError)):
        async with server.connection():
            pass
    async with server.connection():
        pass


@pytest.mark.parametrize("operation", ["connect", "auth"])
@in_loop
async def test_a_client_can_be_kept_waiting_at_the_door(server: Running, operation: Any) -> None:
    server.order(Fault(operation, "hang"))
    with pytest.raises((asyncssh.Error, TimeoutError)):
        async with server.connection(login_timeout=0.5):
            pass
    async with server.connection():
        pass


@in_loop
async def test_a_fault_happens_as_often_as_ordered_to_the_files_that_are_named(server: Running) -> None:
    server.order(Fault("open", "error", times=2, name="payments*"))
    async with server.client() as sftp:
        await put(sftp, "identity.pgp", CONTENT)
        for _ in range(2):
            with pytest.raises(asyncssh.SFTPFailure):
                await put(sftp, "payments.pgp", CONTENT)
        await put(sftp, "payments.pgp", CONTENT)


@in_loop
async def test_the_same_order_given_again_counts_anew_and_no_order_means_no_fault(server: Running) -> None:
    async with server.client() as sftp:
        for _ in range(2):
            server.order(Fault("list", "error"))
            with pytest.raises(asyncssh.SFTPFailure):
                await sftp.listdir(".")
        server.order(Fault("list", "error", times=100))
        server.order()
        await sftp.listdir(".")


@in_loop
async def test_a_dropped_session_may_be_stored_late_over_what_was_put_there_meanwhile(server: Running) -> None:
    server.order(Fault("write", "drop", after_bytes=54_321, late=1800))
    with pytest.raises(CUT):
        async with server.client() as sftp:
            await put(sftp, "a.pgp", CONTENT)
    async with server.client() as sftp:
        assert await sftp.listdir(".") == []
        await put(sftp, "a.pgp", CONTENT)
    server.process.send_signal(signal.SIGUSR1)
    await until(lambda: (server.root / "a.pgp").read_bytes() == CONTENT[:54_321])


@in_loop
async def test_what_is_denied_and_what_lies(server: Running) -> None:
    (server.root / "old.pgp").write_bytes(CONTENT)
    server.order(*(Fault(operation, action) for action in ("deny", "lie") for operation in ("stat", "list")))
    async with server.client() as sftp:
        for request in (lambda: sftp.stat("old.pgp"), lambda: sftp.readdir(".")):
            with pytest.raises(asyncssh.SFTPPermissionDenied):
                await request()
        assert (await sftp.stat("old.pgp")).size == len(CONTENT) - 1
        assert [entry.attrs.size for entry in await sftp.readdir(".")] == [len(CONTENT) - 1]
        assert (await sftp.stat("old.pgp")).size == len(CONTENT)


@pytest.mark.parametrize(("operation", "action"), [("stat", "flip"), ("rename", "short"), ("connect", "lose")])
def test_an_order_that_means_nothing_is_refused(operation: Any, action: Any) -> None:
    with pytest.raises(ValueError, match="means nothing"):
        Fault(operation, action)
