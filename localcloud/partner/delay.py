"""The line to a distant partner, on loopback: round-trip time and bandwidth."""

import asyncio
import socket

from localcloud.distance import Line

_PIECE = 65536
_IN_FLIGHT = 256  # pieces; SSH's own windows stay far below these 16 MiB


async def stretch(client: socket.socket, server: socket.socket, rtt: float, lines: tuple[Line, Line]) -> None:
    """Carry bytes between two non-blocking sockets until both directions have ended, each over its line.

    Each byte is `rtt / 2` seconds late besides. A reset on either side ends both.
    """
    try:
        async with asyncio.TaskGroup() as directions:
            directions.create_task(_carry(client, server, rtt / 2, lines[0]))
            directions.create_task(_carry(server, client, rtt / 2, lines[1]))
    except* OSError:
        pass  # one side is gone, which is the end of the line
    finally:
        client.close()
        server.close()


async def _carry(source: socket.socket, sink: socket.socket, delay: float, line: Line) -> None:
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_IN_FLIGHT)

    async def deliver() -> None:
        data = b"-"
        while data:
            due, data = await pieces.get()
            await asyncio.sleep(due - loop.time())
            await loop.sock_sendall(sink, data)
        sink.shutdown(socket.SHUT_WR)

    async with asyncio.TaskGroup() as ends:
        ends.create_task(deliver())
        data = b"-"
        while data:
            data = await loop.sock_recv(source, _PIECE)
            await pieces.put((line.due(len(data), loop.time()) + delay, data))
