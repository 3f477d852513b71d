"""A delay line: the round-trip time of a distant partner, on loopback."""

import asyncio
import socket

_PIECE = 65536
_IN_FLIGHT = 256  # pieces; SSH's own windows stay far below these 16 MiB


async def stretch(client: socket.socket, server: socket.socket, rtt: float) -> None:
    """Carry bytes between two non-blocking sockets, each byte `rtt / 2` seconds late, until both directions have ended.

    Bandwidth is not limited: what is in flight is merely late. A reset on either side ends both.
    """
    try:
        async with asyncio.TaskGroup() as directions:
            directions.create_task(_carry(client, server, rtt / 2))
            directions.create_task(_carry(server, client, rtt / 2))
    except* OSError:
        pass  # one side is gone, which is the end of the line
    finally:
        client.close()
        server.close()


async def _carry(source: socket.socket, sink: socket.socket, delay: float) -> None:
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
            await pieces.put((loop.time() + delay, data))
