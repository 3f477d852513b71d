"""Write a stream to a file at a distance, many requests on their way at a time; knows nothing of SFTP."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Final, Protocol

from pipeline.budget import Budget

IN_FLIGHT: Final = 4 * 1024 * 1024
"""Bytes that may wait for acknowledgement: enough for 40 MB/s over 100 ms, if the server's window is as large."""


class Remote(Protocol):
    """A file that takes a request to write some bytes at an offset."""

    async def write(self, data: bytes, offset: int) -> int:
        """Write the data there; returns once that is acknowledged."""


async def send(file: Remote, size: int, chunks: Iterator[bytes], budget: Budget) -> int:
    """Write the chunks in requests of `size` bytes, in order, IN_FLIGHT bytes of them at a time; the bytes written.

    asyncssh would keep requests in flight within one write, and only within it: a round trip is lost between two, and
    with small requests much of the processor goes into waiting for all of them at once. Raises OutOfTime, and whatever
    `chunks` or the file raise.
    """
    written = 0
    in_flight: deque[asyncio.Task[int]] = deque()
    try:
        async with aclosing(_prefetched(chunks)) as pieces:
            async for piece in pieces:
                budget.left()
                for start in range(0, len(piece), size):
                    if len(in_flight) * size >= IN_FLIGHT:
                        await in_flight.popleft()
                    request = piece[start : start + size]
                    in_flight.append(asyncio.create_task(_written(file, request, written)))
                    written += len(request)
        while in_flight:
            await in_flight.popleft()
    finally:
        for task in in_flight:
            task.cancel()
        await asyncio.gather(*in_flight, return_exceptions=True)
    return written


async def _written(file: Remote, data: bytes, offset: int) -> int:
    return await file.write(data, offset)


async def _prefetched(chunks: Iterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Yield the chunks; the next is read in a thread while the caller sends the one before."""
    following = asyncio.ensure_future(asyncio.to_thread(next, chunks, None))
    try:
        while (chunk := await following) is not None:
            following = asyncio.ensure_future(asyncio.to_thread(next, chunks, None))
            yield chunk
    finally:
        following.cancel()
        await asyncio.wait([following])
