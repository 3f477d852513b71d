"""The rows of a returned file, counted by reason and by the digest of their key; pure, and nothing of a row is kept."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from typing import Final

from pipeline.contracts.returned import OTHER, Description, Reason
from pipeline.streams.digest import key_digest

KEYS: Final = 100
"""Digests of keys that are kept for one reason; the count says how many rows there are in all."""


class Unreadable(Exception):
    """The rows are not as the description says; the text names the line, and nothing of its content."""


def reasons(content: bytes | bytearray, description: Description) -> tuple[Reason, ...]:
    """The rows by reason, the most frequent first. Raises Unreadable."""
    rows: dict[str, int] = {}
    keys: dict[str, dict[str, None]] = {}
    wanted = (*description.key, *([description.reason] if description.reason else []))
    read = _csv if description.format == "csv" else _json
    for row in read(content, description, wanted):
        said = row[description.reason].strip() if description.reason else ""
        reason = said if said in description.reasons else OTHER
        rows[reason] = rows.get(reason, 0) + 1
        known = keys.setdefault(reason, {})
        if description.key and len(known) < KEYS:
            known[key_digest(row[name] for name in description.key)] = None
    counted = sorted(rows.items(), key=lambda one: (-one[1], one[0]))
    return tuple(Reason(reason, number, tuple(keys[reason])) for reason, number in counted)


def _csv(content: bytes | bytearray, description: Description, wanted: tuple[str, ...]) -> Iterator[Mapping[str, str]]:
    reader = csv.reader(_lines(content), delimiter=description.delimiter, strict=True)
    try:
        header = next(reader, None)
        if header is None:
            raise Unreadable("it is empty, without even a header")
        places = {name: _place(name, header) for name in wanted}
        for row in reader:
            if row and len(row) != len(header):
                raise Unreadable(f"line {reader.line_num} has {len(row)} values, the header {len(header)}")
            if row:
                yield {name: row[place] for name, place in places.items()}
    except csv.Error:
        raise Unreadable(f"line {reader.line_num} is no CSV") from None


def _place(name: str, header: list[str]) -> int:
    if header.count(name) != 1:
        raise Unreadable(f"the header has the column {name} {header.count(name)} times")
    return header.index(name)


def _json(content: bytes | bytearray, description: Description, wanted: tuple[str, ...]) -> Iterator[Mapping[str, str]]:
    for number, line in enumerate(_lines(content), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise Unreadable(f"line {number} is no JSON") from None
        if not isinstance(row, dict):
            raise Unreadable(f"line {number} is no JSON object")
        if missing := [name for name in wanted if name not in row]:
            raise Unreadable(f"line {number} has no {missing[0]}")
        yield {name: _text(row[name]) for name in wanted}


def _text(value: object) -> str:
    """A value as the file that we sent has it: texts and numbers as they are, nothing for null."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _lines(content: bytes | bytearray) -> Iterator[str]:
    """The lines of UTF-8 text with their ends; a byte order mark is none of it."""
    start = 3 if content[:3] == b"\xef\xbb\xbf" else 0
    number = 0
    while start < len(content):
        number += 1
        end = content.find(b"\n", start) + 1 or len(content)
        try:
            yield content[start:end].decode()
        except UnicodeDecodeError:
            raise Unreadable(f"line {number} is not UTF-8") from None
        start = end
