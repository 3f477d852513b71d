"""What somebody saw at the partner at some moment."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

NAME: Final = re.compile(r"(?P<dataset>\w+?)_(?P<start>\w+Z)_\w+Z_r(?P<revision>\d+)_(?P<part>\d+)of\d+\.csv\.pgp")


@dataclass(frozen=True, slots=True)
class Seen:
    """A content that stood under a name, None where nothing did; `at` in seconds since 1970, since when."""

    name: str
    content: bytes | None
    at: float = 0.0
