"""File names that others chose, as text that can stand in a log, a record and an object's name; pure."""

from __future__ import annotations

import hashlib
import re
from typing import Final

LONGEST: Final = 240
"""Bytes of a name; an object of Cloud Storage may have 1,024 in all, with the folders before it."""

_KEPT: Final = 200
_ESCAPE: Final = re.compile(r"%(?=[0-9A-F]{2})")


def shown(name: str) -> str:
    """The name, with `%XX` for each byte of what is no text, cannot be printed, or would part a path.

    Bytes that are not UTF-8 stand in `name` as lone surrogates (PEP 383). A name that is too long keeps its beginning,
    with a digest of the whole behind it. Ordinary names stay as they are, and no two names look alike.
    """
    escaped = "".join(
        sign if sign.isprintable() and sign != "/" else _percent(sign.encode("utf-8", "surrogateescape"))
        for sign in _ESCAPE.sub("%25", name)
    )
    if len(escaped.encode()) <= LONGEST:
        return escaped
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return f"{escaped.encode()[:_KEPT].decode('utf-8', 'ignore')}~{digest}"


def _percent(content: bytes) -> str:
    return "".join(f"%{byte:02X}" for byte in content)
