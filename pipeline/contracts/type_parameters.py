"""The parameters that BigQuery's types take: STRING(length), NUMERIC(precision, scale) and BIGNUMERIC; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pipeline.contracts.dataset import LARGEST_SCALE

LARGEST_WHOLE: Final[Mapping[str, int]] = {"NUMERIC": 29, "BIGNUMERIC": 38}
"""Digits before the point: https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#decimal_types."""


def problem(type_: str, first: str | None, second: str | None) -> str | None:
    """What is wrong with a type's one or two parameters, and what to write instead; None where nothing is."""
    if type_ not in LARGEST_SCALE:
        if first is None or (type_ == "STRING" and second is None and int(first) > 0):
            return None
        return f"{type_} takes no such parameter; only STRING(length) and NUMERIC(precision, scale) take any"
    if type_ == "BIGNUMERIC" and second is None:
        return "say how many decimal places, such as BIGNUMERIC(38, 10); 38 digits is the most in all"
    scale = int(second or 0)
    if scale > LARGEST_SCALE[type_]:
        return f"{type_} has at most {LARGEST_SCALE[type_]} decimal places"
    least, most = max(1, scale), scale + LARGEST_WHOLE[type_]
    if first is not None and not least <= int(first) <= most:
        return (
            f"with {scale} decimal places {type_} has {least} to {most} digits in all; write {type_}({most}, {scale})"
        )
    return None
