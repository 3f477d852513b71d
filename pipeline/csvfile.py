"""Frames -> CSV bytes by RFC 4180: UTF-8 without a mark, a header, CRLF, quotes where a value needs them.

Null is an empty field, the empty string is `""`. Decimals stand at the contract's scale, never in exponent notation;
timestamps are RFC 3339 in UTC with six decimal places.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator

import polars as pl

from pipeline.dataset import Dataset

TIMESTAMP = "%Y-%m-%dT%H:%M:%S%.6fZ"


def csv_bytes(frames: Iterable[pl.DataFrame], dataset: Dataset) -> Iterator[bytes]:
    """The file in pieces: the header first, then a piece for each frame that has rows."""
    yield ",".join(column.name for column in dataset.columns).encode() + b"\r\n"
    for frame in frames:
        if frame.height:
            piece = io.BytesIO()
            frame.write_csv(
                piece,
                include_header=False,
                line_terminator="\r\n",
                quote_style="necessary",
                null_value="",
                datetime_format=TIMESTAMP,
            )
            yield piece.getvalue()
