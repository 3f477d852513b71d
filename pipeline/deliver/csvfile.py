"""Frames -> CSV bytes by RFC 4180: UTF-8 without a mark, a header, CRLF, quotes where a value needs them.

Null is an empty field, the empty string is `""`. Decimals stand at the contract's scale, never in exponent notation;
timestamps are RFC 3339 in UTC with six decimal places.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.contracts.dataset import Dataset


def csv_bytes(frames: Iterable[pl.DataFrame], dataset: Dataset) -> Iterator[bytes]:
    """The file in pieces: the header first, then a piece for each frame that has rows."""
    yield ",".join(column.name for column in dataset.columns).encode() + b"\r\n"
    for frame in frames:
        if frame.height:
            piece = io.BytesIO()
            _instants_as_text(frame).write_csv(
                piece, include_header=False, line_terminator="\r\n", quote_style="necessary", null_value=""
            )
            yield piece.getvalue()


def _instants_as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Column by column: an expression over all of them would be planned anew for every frame."""
    columns = (_rfc3339(column) if column.dtype == pl.Datetime else column for column in frame.get_columns())
    return pl.DataFrame(list(columns))


def _rfc3339(instants: pl.Series) -> pl.Series:
    """Microseconds in UTC as text, by Arrow: in half the time that polars takes over its general format."""
    utc = instants.to_arrow().view(pa.timestamp("us"))  # with a time zone Arrow would look it up for each value
    text = pl.from_arrow(pc.binary_replace_slice(pc.cast(utc, pa.string()), start=10, stop=11, replacement="T"))
    assert isinstance(text, pl.Series)
    return (text + "Z").alias(instants.name)
