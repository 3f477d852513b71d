"""GoogleSQL functions that DuckDB does not have, as DuckDB expressions, so that they run vectorised.

Where the type of a value is known, its expression is written out (`form`). Elsewhere a macro finds the type with
`typeof`, a constant to the planner; that costs some milliseconds of planning for each use, and nothing for each row.
"""

from __future__ import annotations

from .fields import BIGNUMERIC_SCALE, SCALARS

_TEXT = "CAST({x} AS VARCHAR)"
_TRIMMED = f"regexp_replace({_TEXT}, '\\.?0+$', '')"
# Fractions of a second in groups of three digits.
_PADDED = f"regexp_replace({_TEXT}, '\\.(\\d+)', '.\\100')"
_CLOCK = f"regexp_replace({_PADDED}, '\\.(\\d{{{{6}}}}|\\d{{{{3}}}})\\d*', '.\\1')"
_QUOTED = f"('\"' || {_TEXT} || '\"')"  # not concat, which takes null for an empty text

# CAST(x AS STRING): no trailing zeros in a decimal, no point in a whole float, BYTES must be UTF-8.
TEXT = dict.fromkeys(SCALARS, _TEXT) | {
    "NUMERIC": _TRIMMED,
    "BIGNUMERIC": _TRIMMED,
    "FLOAT64": f"regexp_replace({_TEXT}, '\\.0$', '')",
    "BYTES": "decode({x})",
    **dict.fromkeys(("TIMESTAMP", "DATETIME", "TIME"), _CLOCK),
}
_EXACT = 2**53  # beyond it a number is written as a text, for readers that know doubles alone


def _number(text: str, *, whole: str = "TRUE") -> str:
    within = f"{{x}} BETWEEN -{_EXACT} AND {_EXACT} AND {whole}"
    return f"CASE WHEN {within} THEN {text} ELSE '\"' || {text} || '\"' END"


# DuckDB writes some control characters and line ends otherwise.
_STRING = (
    "CASE WHEN regexp_matches({x}, '[\\x00-\\x1f\\x{{2028}}\\x{{2029}}]') "
    "THEN bq_json_string({x}) ELSE CAST(to_json({x}) AS VARCHAR) END"
)
# TO_JSON_STRING of one value:
# https://cloud.google.com/bigquery/docs/reference/standard-sql/json_functions#json_encodings
JSON = TEXT | {
    "STRING": _STRING,
    "INT64": _number(_TEXT),
    "NUMERIC": _number(_TRIMMED, whole="{x} = trunc({x})"),
    "BIGNUMERIC": _number(_TRIMMED, whole="{x} = trunc({x})"),
    "BYTES": "('\"' || to_base64({x}) || '\"')",
    "TIMESTAMP": f"('\"' || replace(replace({_CLOCK}, ' ', 'T'), '+00', 'Z') || '\"')",
    "DATETIME": f"('\"' || replace({_CLOCK}, ' ', 'T') || '\"')",
    "DATE": _QUOTED,
    "TIME": f"('\"' || {_CLOCK} || '\"')",
}
# TO_JSON_STRING where only a digest of it is seen: two values differ whenever they differ in JSON, and the slow
# formats are left out.
DIGEST = JSON | {
    "STRING": "CAST(to_json({x}) AS VARCHAR)",
    "TIMESTAMP": "CAST(epoch_us({x}) AS VARCHAR)",
    **dict.fromkeys(("INT64", "NUMERIC", "BIGNUMERIC"), _TEXT),
}

MACRO_NAMES = {"bq_text": TEXT, "bq_json": JSON, "bq_json_digest": DIGEST}


def form(macro: str, value: str, kind: str | None) -> str:
    """`value` as text by one of the macros, written out when its BigQuery type `kind` is known."""
    if kind is None:
        return f"{macro}({value})"
    written = MACRO_NAMES[macro][kind].format(x=value)
    return written if macro == "bq_text" else f"COALESCE({written}, 'null')"


def _typed(name: str) -> str:
    """The macro that looks at the type itself. Each branch must be valid for every type, hence TRY_CAST."""
    branches = [
        f"WHEN typeof(x) = '{scalar.duckdb}' THEN {MACRO_NAMES[name][kind].format(x=f'TRY_CAST(x AS {scalar.duckdb})')}"
        for kind, scalar in SCALARS.items()
        if scalar.duckdb not in {"JSON", "BOOLEAN"}
    ]
    branches.append(f"WHEN typeof(x) LIKE 'DECIMAL%' AND typeof(x) NOT LIKE '%,0)' THEN {_TRIMMED.format(x='x')}")
    other = "CAST(x AS VARCHAR)"
    if name != "bq_text":
        branches.append("WHEN typeof(x) LIKE '%]' OR typeof(x) LIKE 'STRUCT%' THEN CAST(to_json(x) AS VARCHAR)")
    case = f"CASE {' '.join(branches)} ELSE {other} END"
    return f"CREATE OR REPLACE MACRO {name}(x) AS " + (case if name == "bq_text" else f"COALESCE({case}, 'null')")


MACROS = (
    *(_typed(name) for name in MACRO_NAMES),
    """CREATE OR REPLACE MACRO bq_divide(a, b) AS
        CASE WHEN b = 0 THEN error('division by zero') ELSE a / b END""",
    f"""CREATE OR REPLACE MACRO bq_bignumeric(x) AS CASE
        WHEN typeof(x) = 'VARCHAR' AND regexp_matches(CAST(x AS VARCHAR), '\\.\\d{{{BIGNUMERIC_SCALE}}}\\d*[1-9]')
            THEN error('BIGNUMERIC has 18 decimals in the local BigQuery, a value has more')
        ELSE CAST(x AS DECIMAL(38, {BIGNUMERIC_SCALE})) END""",
    # 64 bits without a sign to INT64.
    "CREATE OR REPLACE MACRO bq_fingerprint(x) AS CAST(CAST(x AS HUGEINT) - 9223372036854775808 AS BIGINT)",
)
