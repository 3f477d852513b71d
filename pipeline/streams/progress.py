"""Progress of a delivery, reported while its data passes: shown by the command line, ignored by the function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Literal, TypeVar

Measure = Literal["rows", "bytes", "sent"]
"""Rows read from the warehouse, bytes of CSV made of them, bytes of the sealed file sent to the partner."""

Observe = Callable[[Measure, int, int | None], None]
"""Takes how many more of a measure are done, and how many there are in all (None: not known). May run in any thread."""

S = TypeVar("S", bound=Sized)


def unobserved(_: Measure, __: int, ___: int | None) -> None:
    """Ignore the progress."""


def telling(items: Iterable[S], measure: Measure, total: int | None, observe: Observe) -> Iterator[S]:
    """Yield the same items; the length of each is reported before it is passed on."""
    for item in items:
        observe(measure, len(item), total)
        yield item
