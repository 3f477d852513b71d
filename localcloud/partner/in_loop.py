"""Tests written as coroutines: each in a loop of its own, and bounded in time."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import ParamSpec

P = ParamSpec("P")


def in_loop(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Return `test` as an ordinary function, for pytest; it fails with TimeoutError after a minute."""

    @wraps(test)
    def run(*arguments: P.args, **fixtures: P.kwargs) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(60):
                await test(*arguments, **fixtures)

        asyncio.run(bounded())

    return run


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what another process does; the test's own bound ends a vain wait."""
    while not condition():
        await asyncio.sleep(0.01)
