"""SSH connections to a partner's server: the only importer of asyncssh, and the only event loop.

Host keys are pinned: a server with another key is refused before authentication. Every conversation runs on a loop of
its own, within the budget of the run; asyncssh's errors become ours here.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import asyncssh

from pipeline.budget import Budget
from pipeline.clients import ssh
from pipeline.clients.material import cleaned
from pipeline.clients.retries import noting
from pipeline.clients.ssh import HostKey, Offer, Protection, Server
from pipeline.errors import CredentialsUnavailable, OutOfTime, PartnerRefused, PartnerUnavailable, PartnerUntrusted
from pipeline.streams import background

T = TypeVar("T")

SftpClient = asyncssh.SFTPClient
SftpName = asyncssh.SFTPName
SftpError = asyncssh.SFTPError
NoSuchFile = asyncssh.SFTPNoSuchFile
Unsupported = asyncssh.SFTPOpUnsupported
NOT_PERMITTED: Final = (asyncssh.SFTPPermissionDenied, asyncssh.SFTPOpUnsupported)
FAILURES: Final = (TimeoutError, asyncssh.Error, OSError)
"""Whatever a request may raise; for cleaning up, where nothing more can be done about it."""

CONNECT_SECONDS: Final = 30.0
"""Longest time of one try to connect and log in."""

FIRST_CONNECTION_SECONDS: Final = 150.0
"""How long a server that does not answer is tried again: behind Direct VPC egress and NAT a new instance may wait "a
minute or more" for its first connection (Cloud Run documentation, "Direct VPC with a VPC network", limitations)."""

PAUSE_SECONDS: Final = 1.0

UNREACHED: Final = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ETIMEDOUT})

CLEANUP_SECONDS: Final = 5.0
"""How long a server that failed us may take to close files and the connection."""


@dataclass(frozen=True, slots=True)
class Inspected:
    """What a server showed to a login: the fingerprint of its pinned key, the protection, and all that it offers."""

    host_key: str
    protection: Protection
    offer: Offer


@dataclass(frozen=True, slots=True)
class Connection:
    """An open connection: for SFTP, and what the server showed."""

    sftp: SftpClient
    shown: Inspected


class Loop:
    """An open connection for several conversations, one after the other; made by `loop`."""

    def __init__(self, runner: asyncio.Runner, server: Server, connection: Connection) -> None:
        self._runner = runner
        self.server = server
        self.connection = connection
        self.broken = False

    def run(self, work: Coroutine[Any, Any, T], seconds: float | None = None) -> T:
        """Run one conversation, within `seconds` if given. Raises PartnerRefused, PartnerUnavailable, OutOfTime."""
        try:
            return _bounded(self._runner, work, self.server, seconds)
        except (PartnerUnavailable, OutOfTime) as error:
            self.broken = not isinstance(error, PartnerRefused)
            raise


def run(work: Coroutine[Any, Any, T], server: Server) -> T:
    """Run one conversation on a loop of its own.

    Raises PartnerUntrusted, PartnerRefused, PartnerUnavailable, CredentialsUnavailable, OutOfTime.
    """
    with _runner() as runner:
        return _bounded(runner, work, server, None)


@contextmanager
def loop(server: Server) -> Iterator[Loop]:
    """A connection that is closed when the block ends. Raises as `run` does."""
    with _runner() as runner:
        ending = AsyncExitStack()
        opened = Loop(runner, server, _bounded(runner, ending.enter_async_context(connected(server)), server, None))
        try:
            yield opened
        finally:
            error = ConnectionAbortedError() if opened.broken else None  # then nobody waits for the server any more
            for task in asyncio.all_tasks(runner.get_loop()) if opened.broken else ():
                task.cancel()  # requests of asyncssh's that nobody awaits; each would end as a traceback in the log
            with suppress(*FAILURES):
                runner.run(ending.__aexit__(type(error) if error else None, error, None))


def inspect(server: Server) -> Inspected:
    """Log in and tell what the server showed. Raises as `run` does; PartnerRefused means our key is not accepted."""

    async def work() -> Inspected:
        async with _logged_in(server) as connection:
            return _inspected(connection)

    return run(work(), server)


def connected(server: Server) -> AbstractAsyncContextManager[Connection]:
    """A connection with an SFTP session. A byte of a name that is not UTF-8 is a lone surrogate in it (PEP 383)."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Connection]:
        async with _logged_in(server) as connection:
            sftp = await connection.start_sftp_client(path_errors="surrogateescape")
            yield Connection(sftp, _inspected(connection))

    return opened()


@asynccontextmanager
async def _logged_in(server: Server) -> AsyncIterator[asyncssh.SSHClientConnection]:
    try:
        login = asyncssh.import_private_key(cleaned(server.key))
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
        raise CredentialsUnavailable(
            "The SSH key's secret does not hold a private key in OpenSSH or PEM form without a passphrase."
        ) from None
    trusted = ssh.pinned(server.host_keys)
    check = _HostKeyCheck(server, trusted)

    async def once() -> asyncssh.SSHClientConnection:
        return await asyncssh.connect(
            server.host,
            server.port,
            client_factory=lambda: check,
            username=server.user,
            client_keys=[login],
            known_hosts=([_imported(key) for key in trusted], [], []),
            config=None,
            agent_path=None,
            preferred_auth="publickey",
            kex_algs=ssh.KEY_EXCHANGES,
            encryption_algs=ssh.CIPHERS,
            mac_algs=ssh.MACS,
            signature_algs=ssh.SIGNATURES,
            server_host_key_algs=ssh.signatures_for(trusted),
            compression_algs=None,
            connect_timeout=server.budget.one_try(CONNECT_SECONDS),
            login_timeout=server.budget.one_try(CONNECT_SECONDS),
            keepalive_interval=15,
            keepalive_count_max=3,
        )

    try:
        connection = await _answered(once, server.budget)
    except asyncssh.HostKeyNotVerifiable:
        raise check.refusal() from None
    except asyncssh.ConnectionLost:
        # A server that finds nothing in common hangs up, perhaps before asyncssh has judged what it offers.
        if check.connection and (offer := _offer(check.connection)).key_exchanges and not offer.acceptable:
            raise asyncssh.KeyExchangeFailed("nothing in common") from None
        raise
    try:
        # asyncssh closes handles even where it is cancelled, and then waits for a server that may never answer.
        asyncio.get_running_loop().call_later(server.budget.left() + CLEANUP_SECONDS, connection.abort)
        yield connection
    except BaseException:
        connection.abort()  # an orderly close would wait for a server that may never answer
        raise
    else:
        connection.close()
    finally:
        with suppress(TimeoutError):
            await asyncio.wait_for(connection.wait_closed(), CLEANUP_SECONDS)


async def _answered(once: Callable[[], Awaitable[T]], budget: Budget) -> T:
    """What a try to connect gives, repeated while nobody answers; whatever a server or its host says is final."""
    loop, note = asyncio.get_running_loop(), noting("SFTP", budget)
    end = loop.time() + budget.waiting(FIRST_CONNECTION_SECONDS)
    while True:
        try:
            return await once()
        except OSError as error:
            if not _is_silence(error) or loop.time() + PAUSE_SECONDS >= end:
                raise
            note(error)
        await asyncio.sleep(PAUSE_SECONDS)


def _is_silence(error: OSError) -> bool:
    if isinstance(error, socket.gaierror):
        return error.errno == socket.EAI_AGAIN
    return isinstance(error, TimeoutError) or error.errno in UNREACHED


class _HostKeyCheck(asyncssh.SSHClient):
    """Refuses every host key that is not pinned, and remembers it, and the connection, for the message."""

    def __init__(self, server: Server, trusted: tuple[HostKey, ...]) -> None:
        self._server = server
        self._trusted = trusted
        self._shown = "a key that cannot be read"
        self.connection: asyncssh.SSHClientConnection | None = None

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        """Called by asyncssh before anything is exchanged."""
        self.connection = conn

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Called by asyncssh for a key that is none of `known_hosts`."""
        self._shown = str(HostKey(" ".join(key.export_public_key("openssh").decode().split()[:2])))
        return False

    def refusal(self) -> PartnerUntrusted:
        """What was shown and what is pinned."""
        pinned = "; ".join(str(key) for key in self._trusted)
        return PartnerUntrusted(
            f"The server {self._server.host}:{self._server.port} shows a host key that is not pinned: {self._shown}. "
            f"Pinned: {pinned}."
        )


def _imported(key: HostKey) -> asyncssh.SSHKey:
    try:
        return asyncssh.import_public_key(key.line)
    except (asyncssh.KeyImportError, ValueError):
        raise CredentialsUnavailable(f"The pinned host key {key} cannot be read.") from None


def _inspected(connection: asyncssh.SSHClientConnection) -> Inspected:
    key = connection.get_server_host_key()
    offer = _offer(connection)
    protection = offer.protection(connection.get_extra_info("send_cipher"), connection.get_extra_info("send_mac"))
    return Inspected(str(key.get_fingerprint()) if key is not None else "unknown", protection, offer)


def _offer(connection: asyncssh.SSHClientConnection) -> Offer:
    return Offer.of(getattr(connection, "_server_kexinit", b""))  # kept by asyncssh and shown nowhere else


@contextmanager
def _runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(background.pool("sftp"))
        yield runner


def _bounded(runner: asyncio.Runner, work: Coroutine[Any, Any, T], server: Server, seconds: float | None) -> T:
    async def bounded() -> T:
        async with asyncio.timeout(server.budget.left(seconds)):
            return await work

    waiting = bounded()
    try:
        with _mapped(server):
            return runner.run(waiting)
    finally:
        waiting.close()
        work.close()


@contextmanager
def _mapped(server: Server) -> Iterator[None]:
    """Turn asyncssh's errors into ours."""
    place = server.address
    try:
        yield
    except asyncssh.PermissionDenied:
        raise PartnerRefused(f"The server does not accept our key for {place}.") from None
    except asyncssh.KeyExchangeFailed:
        server.budget.left()
        raise PartnerUnavailable(
            f"The server of {place} offers no key exchange, host key, cipher or MAC that we accept."
        ) from None
    except (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection) as error:
        server.budget.left()
        raise PartnerUnavailable(f"The connection to {place} failed: {type(error).__name__}.") from None
    except asyncssh.SFTPError as error:
        raise PartnerRefused(f"The server refuses an operation for {place}: {type(error).__name__}.") from None
    except TimeoutError:
        server.budget.left()
        raise PartnerUnavailable(f"The server {place} did not answer in time.") from None
    except (asyncssh.Error, OSError) as error:
        server.budget.left()
        raise PartnerUnavailable(f"The connection to {place} failed: {type(error).__name__}.") from None
