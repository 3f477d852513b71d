"""The partner's front door: accepts connections, lets `connect` faults happen, adds distance."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

from localcloud.distance import Line
from localcloud.partner.delay import stretch
from localcloud.partner.faults import Faults
from localcloud.partner.journal import Entry, Journal

Serve = Callable[[socket.socket], Awaitable[None]]


class Listener:
    """Hands each accepted socket to `serve`, which owns it from then on and returns when the connection is over.

    `rtt` in seconds, `rate` in bytes a second and direction (0: no limit). `port` 0 takes any free port; `self.port` is
    the one in use, open from construction on.
    """

    def __init__(
        self, host: str, port: int, serve: Serve, faults: Faults, journal: Journal, rtt: float = 0, rate: float = 0
    ) -> None:
        self._socket = socket.create_server((host, port))
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]
        self._serve = serve
        self._faults = faults
        self._journal = journal
        self._rtt = rtt
        self._lines = (Line(rate), Line(rate)) if rtt or rate else None

    async def run(self) -> None:
        """Serve until cancelled; then every connection is cut."""
        loop = asyncio.get_running_loop()
        with self._socket:
            async with asyncio.TaskGroup() as connections:
                while True:
                    client, _ = await loop.sock_accept(self._socket)
                    connections.create_task(self._connection(client))

    async def _connection(self, client: socket.socket) -> None:
        fault = self._faults.due("connect")
        self._journal.add(Entry("connect", answer="ok" if fault is None else "cut"))
        if fault is not None:
            with client:
                if fault.action == "hang":
                    await _silence(client)
            return
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._lines is None:
            await self._serve(client)
            return
        near, far = socket.socketpair()
        near.setblocking(False)
        far.setblocking(False)
        async with asyncio.TaskGroup() as both:
            both.create_task(stretch(client, near, self._rtt, self._lines))
            await self._serve(far)


async def _silence(client: socket.socket) -> None:
    """Read and never answer, until the client gives up."""
    loop = asyncio.get_running_loop()
    try:
        while await loop.sock_recv(client, 65536):
            pass
    except ConnectionError:
        pass  # giving up by a reset is giving up
