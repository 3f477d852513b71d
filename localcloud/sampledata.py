"""Believable rows for the three datasets, seeded: the same seed gives the same rows, nasty characters included."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import polars as pl

from pipeline.contracts.dataset import Column, Dataset
from pipeline.window import Window

NASTY: Final = (
    'Société "L\'Étoile", S.à r.l.',
    "line one\nline two",
    "carriage\rreturn\r\nand line feed",
    "comma, semicolon; tab\t.",
    "",
    " leading and trailing ",
    "=1+1",
    "日本語テキスト",
    "emoji 💶 beyond the basic plane 𝔘𝔫𝔦",
    'quote at the end"',
    '""',
    "null",
    "\\N",
    "0012300",
    "e\u0301 combining",
    "\u202eright to left",
)
NAMES: Final = ("Ana García", "Li Wei", "Zoë O'Neill", "Jürgen Groß", "Niamh Ní Bhriain", "Aïcha Benali", "Ivo Horvat")
COUNTRIES: Final = ("ES", "DE", "FR", "IT", "GB", "PT", "NL", "CN", "US")
CURRENCIES: Final = ("EUR", "GBP", "USD", "PLN")


def rows(dataset: Dataset, window: Window, count: int, *, seed: int = 0, outside: float = 0.1) -> pl.DataFrame:
    """`count` rows of the window under the table's column names, keys unique within the seed and window.

    About `outside` of them belong to customers who are not in the program, and must never leave.
    """
    generator = np.random.default_rng([seed, int(window.start.timestamp()), _number(dataset.name)])
    frame = pl.DataFrame(
        {column.source: _values(column, dataset, window, count, generator) for column in dataset.columns}
    )
    return frame.with_columns(pl.Series("in_program", generator.random(count) >= outside))


def _values(column: Column, dataset: Dataset, window: Window, count: int, generator: np.random.Generator) -> pl.Series:
    values = _VALUES[column.type](column, dataset, window, count, generator)
    if not column.required:
        values = pl.select(pl.when(pl.Series(generator.random(count) < 0.15)).then(None).otherwise(values)).to_series()
    return values.alias(column.source)


def _text(column: Column, dataset: Dataset, window: Window, count: int, generator: np.random.Generator) -> pl.Series:
    if column.name in dataset.key:
        prefix = pl.lit(f"{dataset.name[:3]}-{window.start:%y%m%d%H}-{generator.integers(1 << 30):x}-")
        return pl.select(prefix + pl.Series(range(count)).cast(pl.String).str.pad_start(9, "0")).to_series()
    if column.allowed:
        return _pick(column.allowed, count, generator)
    if column.pattern == "^[A-Z]{2}$":
        return _pick(COUNTRIES, count, generator)
    if column.pattern == "^[A-Z]{3}$":
        return _pick(CURRENCIES, count, generator)
    if column.pattern is not None:
        digits = pl.Series(generator.integers(10**17, 10**18, count)).cast(pl.String)
        return pl.select(pl.lit("ES76") + digits).to_series()
    if column.name.endswith("_id"):
        return pl.select(
            pl.lit(column.name[:3] + "-") + pl.Series(generator.integers(10**9, 10**10, count)).cast(pl.String)
        ).to_series()
    plain = _pick(NAMES, count, generator)
    nasty = _pick([text for text in NASTY if len(text) >= (column.min_length or 0)], count, generator)
    if column.max_length is not None:
        nasty = nasty.str.slice(0, column.max_length)
        plain = plain.str.slice(0, column.max_length)
    return pl.select(pl.when(pl.Series(generator.random(count) < 0.2)).then(nasty).otherwise(plain)).to_series()


def _pick(choices: tuple[str, ...] | list[str], count: int, generator: np.random.Generator) -> pl.Series:
    return pl.Series(choices).gather(pl.Series(generator.integers(0, len(choices), count)))


def _decimal(column: Column, _: Dataset, __: Window, count: int, generator: np.random.Generator) -> pl.Series:
    units = pl.Series(generator.integers(0, 10**9, count)).cast(pl.Decimal(38, 0))
    scale = column.scale or 0
    return (
        pl.select(
            (units.cast(pl.Decimal(38, 9)) / pl.lit(10**scale).cast(pl.Decimal(38, 0))).cast(pl.Decimal(38, scale))
        )
        .to_series()
        .cast(pl.Decimal(38, 9))
    )


def _timestamp(
    column: Column, dataset: Dataset, window: Window, count: int, generator: np.random.Generator
) -> pl.Series:
    start, end = _micros(window.start), _micros(window.end)
    if column.name != dataset.change:
        start -= int(timedelta(days=30) / timedelta(microseconds=1))
    instants = generator.integers(start, end, count)
    if column.name == dataset.change and count:
        instants[0] = start  # the first instant of the window belongs to it
    return pl.Series(instants).cast(pl.Datetime("us", "UTC"))


def _date(_: Column, __: Dataset, window: Window, count: int, generator: np.random.Generator) -> pl.Series:
    days = generator.integers(-18_000, 3_000, count)
    return pl.select(pl.lit(window.start.date()) + pl.duration(days=pl.lit(pl.Series(days)))).to_series().cast(pl.Date)


def _integer(_: Column, __: Dataset, ___: Window, count: int, generator: np.random.Generator) -> pl.Series:
    return pl.Series(generator.integers(0, 10**6, count))


def _bool(_: Column, __: Dataset, ___: Window, count: int, generator: np.random.Generator) -> pl.Series:
    return pl.Series(generator.random(count) < 0.5)


_VALUES: Final[Mapping[str, Callable[..., pl.Series]]] = {
    "STRING": _text,
    "JSON": _text,
    "NUMERIC": _decimal,
    "BIGNUMERIC": _decimal,
    "TIMESTAMP": _timestamp,
    "DATE": _date,
    "INT64": _integer,
    "BOOL": _bool,
}


def _micros(instant: datetime) -> int:
    return int(instant.timestamp()) * 1_000_000


def _number(name: str) -> int:
    return random.Random(name).randrange(1 << 30)
