"""A gate before a service: closed, it is a network that does not carry yet, as a cold instance's may be for a minute.

What connects while the gate is closed is accepted and never answered (`silent`), or cut at once (`cut`). What connects
while it is open is carried to the service. A connection stays what it was when it was made.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, Literal

Way = Literal["silent", "cut"]

PIECE: Final = 1 << 16


class Gate:
    """A port on loopback that leads to `target`, host:port; open until it is closed.

    `rate` is how many bytes a second each connection carries to the service; None: as many as come.
    """

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._way: Way = "silent"
        self._seconds: float | None = None
        self._until = 0.0
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self.refused = 0
        self.rate: float | None = None
        self.port: int = self._listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self, seconds: float, way: Way = "silent") -> None:
        """Carry nothing for so many seconds, counted from the next connection."""
        with self._lock:
            self._way, self._seconds, self._until = way, seconds, 0.0

    def open(self) -> None:
        """Carry what connects from now on."""
        with self._lock:
            self._seconds = None

    def cut(self) -> None:
        """End every connection that there is, as servers and networks do with those that are silent for minutes."""
        with self._lock:
            for one in self._sockets:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        """Cut everything and accept no more."""
        self._listener.close()
        self.cut()
        with self._lock:
            for one in self._sockets:
                one.close()

    def _is_closed(self) -> bool:
        with self._lock:
            if self._seconds is None:
                return False
            self._until = self._until or time.monotonic() + self._seconds
            return time.monotonic() < self._until

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._is_closed():
                self.refused += 1
                if self._way == "cut":
                    client.close()
                else:
                    self._keep(client)
                continue
            try:
                service = socket.create_connection(self._target)
            except OSError:
                client.close()
                continue
            self._keep(client, service)
            threading.Thread(target=self._carry_both, args=(client, service), daemon=True).start()

    def _carry_both(self, client: socket.socket, service: socket.socket) -> None:
        for one in (client, service):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        back = threading.Thread(target=_carry, args=(service, client), daemon=True)
        back.start()
        _carry(client, service, self.rate)
        back.join()
        client.close()
        service.close()

    def _keep(self, *sockets: socket.socket) -> None:
        with self._lock:
            self._sockets += sockets


@contextmanager
def gate(target: str) -> Iterator[Gate]:
    """A gate that ends with the block."""
    made = Gate(target)
    try:
        yield made
    finally:
        made.end()


def _carry(source: socket.socket, sink: socket.socket, rate: float | None = None) -> None:
    with suppress(OSError):
        while piece := source.recv(PIECE):
            sink.sendall(piece)
            if rate is not None:
                time.sleep(len(piece) / rate)
        sink.shutdown(socket.SHUT_WR)
        return
    for one in (source, sink):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
