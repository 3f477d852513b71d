"""A bar on stderr, where that is a terminal, for commands that read much."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipeline.cli.session import Session


@contextmanager
def bar(session: Session, doing: str) -> Iterator[Callable[[int, int], None]]:
    """A function that takes how many more are done, and how many there are in all; it may be called in any thread."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=session.aside, disable=not session.aside.is_terminal) as shown:
        task = shown.add_task(doing, total=None)

        def observe(more: int, total: int) -> None:
            shown.update(task, advance=more, total=total)

        yield observe
