"""What a benchmark finds: samples of ours and of a peer from the same run, and the ratio between them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Better = Literal["less", "more"]


@dataclass(frozen=True, slots=True)
class Figure:
    """Samples of one measurement, in `unit`. `peer` stands beside `ours`, sample by sample, or is empty.

    `better` says which direction of the unit is good. `goal` is for the ratio where there is a peer, else for the
    median; `note` says what binds, or how to read it.
    """

    benchmark: str
    name: str
    unit: str
    ours: tuple[float, ...]
    peer: tuple[float, ...] = ()
    peer_name: str = ""
    better: Better = "less"
    goal: float | None = None
    note: str = ""

    @property
    def ratios(self) -> tuple[float, ...]:
        """How many times better than the peer ours is, sample by sample; 0.8 means four fifths as good."""
        if self.better == "less":
            return tuple(theirs / ours for ours, theirs in zip(self.ours, self.peer, strict=bool(self.peer)))
        return tuple(ours / theirs for ours, theirs in zip(self.ours, self.peer, strict=bool(self.peer)))

    @property
    def median(self) -> float:
        """The median of ours."""
        return statistics.median(self.ours)

    @property
    def peer_median(self) -> float:
        """The median of the peer's."""
        return statistics.median(self.peer)

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached by the median; None where there is no goal."""
        if self.goal is None:
            return None
        if self.peer:
            return statistics.median(self.ratios) >= self.goal
        median = statistics.median(self.ours)
        return median <= self.goal if self.better == "less" else median >= self.goal

    def as_json(self) -> dict[str, Any]:
        """The figure with its samples and what is computed of them."""
        ratios = {"ratio": spread(self.ratios)} if self.ratios else {}
        return {**asdict(self), "median": statistics.median(self.ours), **ratios, "met": self.met}


def spread(samples: Sequence[float]) -> dict[str, float]:
    """Median, least and most."""
    return {"median": statistics.median(samples), "least": min(samples), "most": max(samples)}
