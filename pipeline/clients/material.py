"""Key material as people hand it over: text with the marks of other systems around it; pure."""

from __future__ import annotations

import codecs
from typing import Final

_MARKS: Final = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def cleaned(value: bytes) -> bytes:
    """Text without a byte-order mark, in UTF-8, its lines ended by line feeds; anything else as it is.

    Windows' editors write the mark in front of what they save; PowerShell's `>` writes UTF-16.
    """
    for mark, encoding in _MARKS:
        if value.startswith(mark):
            try:
                value = value[len(mark) :].decode(encoding).encode()
            except UnicodeError:
                return value
            break
    try:
        value.decode("ascii")
    except UnicodeError:
        return value  # binary, such as an OpenPGP key without armor
    return value.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
