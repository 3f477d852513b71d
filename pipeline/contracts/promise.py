"""How punctual a dataset is promised to be: the contract's `slaProperties` about latency; pure.

ODCS leaves the words to the contract; these three are read: `latency` (minutes from a window's end to the partner),
`latencyShare` (per cent of the windows that keep it) and `latencyPeriod` (days over which that is counted).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from open_data_contract_standard.model import ServiceLevelAgreementProperty

UNITS: Final = {"latency": ("m", "min", "minutes"), "latencyShare": ("percent", "%"), "latencyPeriod": ("d", "days")}
LIMITS: Final = {"latency": 7 * 24 * 60, "latencyShare": 100, "latencyPeriod": 366}


@dataclass(frozen=True, slots=True)
class Promise:
    """So many per cent of the windows are at the partner within so many minutes of their end, over so many days."""

    minutes: float
    percent: float
    days: int

    @property
    def within(self) -> timedelta:
        """The time from a window's end to the partner."""
        return timedelta(minutes=self.minutes)

    def __str__(self) -> str:
        return f"{self.percent:g} % within {self.minutes:g} minutes over {self.days} days"


def promise(properties: Sequence[ServiceLevelAgreementProperty], wrong: Callable[[str, str], None]) -> Promise | None:
    """The promise of a contract; None where it makes none. `wrong` is told the place and what is wrong with it."""
    given: dict[str, float] = {}
    for number, entry in enumerate(properties):
        place, name = f"slaProperties[{number}]", str(entry.property)
        if name not in UNITS:
            continue  # promises that people keep, not this pipeline
        value: Any = entry.value
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= LIMITS[name]:
            wrong(place, f"{name} must be a number over 0, at most {LIMITS[name]}")
        elif entry.unit not in UNITS[name]:
            wrong(place, f"{name} must have the unit {' or '.join(UNITS[name])}")
        elif name in given:
            wrong(place, f"{name} stands twice")
        else:
            given[name] = value
    if not given:
        return None
    if missing := [name for name in UNITS if name not in given]:
        wrong("slaProperties", f"a promise of latency needs {', '.join(missing)} too")
        return None
    return Promise(given["latency"], given["latencyShare"], int(given["latencyPeriod"]))
