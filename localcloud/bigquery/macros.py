"""GoogleSQL functions that DuckDB does not have, as DuckDB expressions, so that they run vectorised.

Where the type of a value is known, its expression is written out (`form`). Elsewhere a macro finds the type with
`typeof`, a constant to the planner; that costs some milliseconds of planning for each use, and nothing for each row.
"""

from __future__ import annotations

from .fields import BIGNUMERIC_SCALE, SCALARS

_TEXT = "CAST({x} AS VARCHAR)"
_TRIMMED = f"regexp_replace({_TEXT}, '\\.?0+$', '')"
_QUOTED = f"('\"' || {_TEXT} || '\"')"  # not concat, which takes null for an empty text

# CAST(x AS STRING): no trailing zeros in a decimal, no point in a whole float, BYTES must be UTF-8.
TEXT = dict.fromkeys(SCALARS, _TEXT) | {
    "NUMERIC": _TRIMMED,
    "BIGNUMERIC": _TRIMMED,
    "FLOAT64": f"regexp_replace({_TEXT}, '\\.0$', '')",
    "BYTES": "decode({x})",
}
# TO_JSON_STRING of one value:
# https://cloud.google.com/bigquery/docs/reference/standard-sql/json_functions#json_encodings
JSON = TEXT | {
    "STRING": "CAST(to_json({x}) AS VARCHAR)",
    "BYTES": "('\"' || to_base64({x}) || '\"')",
    "TIMESTAMP": f"('\"' || replace(replace({_TEXT}, ' ', 'T'), '+00', 'Z') || '\"')",
    "DATETIME": f"('\"' || replace({_TEXT}, ' ', 'T') || '\"')",
    "DATE": _QUOTED,
    "TIME": _QUOTED,
}
# TO_JSON_STRING where only a digest of it is seen: two values differ whenever they differ in JSON, and the slow
# formats are left out.
DIGEST = JSON | {"TIMESTAMP": "CAST(epoch_us({x}) AS VARCHAR)", "NUMERIC": _TEXT, "BIGNUMERIC": _TEXT}

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
        if scalar.duckdb in {"BLOB", "DOUBLE", "TIMESTAMP WITH TIME ZONE", "TIMESTAMP", "DATE", "TIME", "VARCHAR"}
    ]
    number = MACRO_NAMES[name]["NUMERIC"].format(x="x")
    branches.append(f"WHEN typeof(x) LIKE 'DECIMAL%' AND typeof(x) NOT LIKE '%,0)' THEN {number}")
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
