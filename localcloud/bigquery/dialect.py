"""GoogleSQL text to a syntax tree, and a tree to DuckDB's SQL: sqlglot's translation, put right where it is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sqlglot import ErrorLevel, exp, parse, tokenize
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import ParseError, TokenError, UnsupportedError
from sqlglot.generators.duckdb import DuckDBGenerator
from sqlglot.tokenizer_core import TokenType

from .errors import invalid_query, not_served
from .fields import BIGNUMERIC_SCALE, MAX_DIGITS, NUMERIC_SCALE
from .functions import WHITE_SPACE
from .macros import form

DIGESTS = (exp.MD5, exp.MD5Digest, exp.SHA, exp.SHA1Digest, exp.SHA2, exp.SHA2Digest, exp.FarmFingerprint)
DECIMALS = {exp.DType.DECIMAL: NUMERIC_SCALE, exp.DType.BIGDECIMAL: BIGNUMERIC_SCALE}
MICROSECONDS = {"0": 1_000_000, "3": 1_000, "6": 1}


class Statement(NamedTuple):
    """One statement as it was written, and its tree."""

    text: str
    tree: exp.Expr


def script(sql: str) -> list[Statement]:
    """The statements of a query or script, each with its own text."""
    trees = statements(sql)
    if len(trees) == 1:
        return [Statement(sql, trees[0])]
    cuts = [0, *(token.end + 1 for token in tokenize(sql, read="bigquery") if token.token_type is TokenType.SEMICOLON)]
    pieces = [sql[start:end] for start, end in zip(cuts, [*cuts[1:], len(sql)], strict=True)]
    written = [piece for piece in pieces if piece.strip(" \n\t;")]
    return [Statement(piece, tree) for piece, tree in zip(written, trees, strict=False)]  # a comment may end the script


def statements(sql: str) -> list[exp.Expr]:
    """The statements of a query or script. Raises `invalidQuery` with BigQuery's "Syntax error: ..." and the place."""
    try:
        trees = [tree for tree in parse(sql, read="bigquery") if tree is not None]
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        where = f" at [{first.get('line')}:{first.get('col')}]"
        raise invalid_query(f"Syntax error: {first.get('description') or error}{where}") from None
    except TokenError as error:
        raise invalid_query(f"Syntax error: {error}") from None
    if not trees:
        raise invalid_query("Syntax error: Unexpected end of statement")
    for tree in trees:
        if isinstance(tree, exp.Column | exp.Alias | exp.Literal | exp.Paren):
            raise invalid_query(f"Syntax error: Unexpected {tree.sql('bigquery')!r} at [1:1]")
    return trees


def duckdb(tree: exp.Expr) -> str:
    """DuckDB's SQL for a tree. Raises 501 where the translation would change the meaning."""
    try:
        return tree.sql(dialect=Local, unsupported_level=ErrorLevel.RAISE)
    except UnsupportedError as error:
        raise not_served(f"this SQL: {error}") from None


def _known(value: exp.Expr) -> str | None:
    """The BigQuery type that `Scope` noted on a column."""
    kind = value.meta.get("bigquery")
    return str(kind) if kind else None


def _cast(generator: DuckDBGenerator, node: exp.Cast) -> str:
    kind, value = node.to, generator.sql(node, "this")
    cast = "TRY_CAST" if isinstance(node, exp.TryCast) else "CAST"
    if kind.this == exp.DType.TEXT:
        return form("bq_text", value, _known(node.this))
    if kind.this in DECIMALS:
        scale = DECIMALS[kind.this]
        stored = f"DECIMAL({MAX_DIGITS}, {scale})"
        if kind.expressions:
            precision, digits = (*(int(one.name) for one in kind.expressions), 0)[:2]
            return f"{cast}({cast}({value} AS DECIMAL({precision}, {digits})) AS {stored})"
        return f"{cast}({value} AS {stored})"
    if kind.expressions and kind.this in {exp.DType.VARBINARY, exp.DType.BINARY}:
        return f"{cast}({value} AS BLOB)"
    return f"{cast}({value} AS {generator.sql(kind)})"


def _json(generator: DuckDBGenerator, node: exp.JSONFormat) -> str:
    """TO_JSON_STRING; of a STRUCT(...) as one flat concatenation, by far the fastest form in DuckDB.

    Only where rows are merely told apart and counted may a cheaper text stand for it: a digest is compared elsewhere.
    """
    parent = node.parent.parent if isinstance(node.parent, exp.Distinct) else node.parent
    macro = "bq_json_digest" if isinstance(parent, exp.Count) else "bq_json"
    if not isinstance(node.this, exp.Struct):
        return form(macro, generator.sql(node, "this"), _known(node.this))
    parts: list[str] = []
    for number, entry in enumerate(node.this.expressions, 1):
        name = entry.name if isinstance(entry, exp.PropertyEQ | exp.Column | exp.Alias) else f"_field_{number}"
        value = entry.expression if isinstance(entry, exp.PropertyEQ) else entry.unalias()
        label = ("{" if number == 1 else ",") + f'"{name}":'
        parts += [generator.sql(exp.Literal.string(label)), form(macro, generator.sql(value), _known(value))]
    return f"concat({', '.join(parts)}, '}}')" if parts else "'{}'"


def _fingerprint(generator: DuckDBGenerator, node: exp.FarmFingerprint) -> str:
    """Not Google's FarmHash: DuckDB's own 64 bits, of the same text; or, for the JSON of a row, of its values.

    Rows that differ in JSON differ in their values, and a row's text, which nobody sees, takes most of the time.
    """
    (hashed,) = node.expressions
    if isinstance(hashed, exp.JSONFormat) and isinstance(hashed.this, exp.Struct):
        fields = hashed.this.expressions
        values = [one.expression if isinstance(one, exp.PropertyEQ) else one.unalias() for one in fields]
    else:
        values = [hashed]
    return f"bq_fingerprint(hash({', '.join(generator.sql(value) for value in values)}))"


def _byte_length(generator: DuckDBGenerator, node: exp.ByteLength) -> str:
    text = _known(node.this) == "STRING" or node.this.is_string or isinstance(node.this, exp.JSONFormat)
    return f"{'strlen' if text else 'octet_length'}({generator.sql(node, 'this')})"


def _hex(generator: DuckDBGenerator, node: exp.LowerHex) -> str:
    digest = node.this
    if isinstance(digest, exp.SHA2Digest) and digest.text("length") in {"", "256"}:
        return f"sha256({generator.sql(digest, 'this')})"
    return f"lower(hex({generator.sql(digest)}))"


def _unix(generator: DuckDBGenerator, node: exp.UnixToTime) -> str:
    factor = MICROSECONDS[node.text("scale") or "0"]
    return f"make_timestamptz(CAST({generator.sql(node, 'this')} AS BIGINT) * {factor})"


def _difference(generator: DuckDBGenerator, node: exp.TimestampDiff) -> str:
    """Whole units that have passed, not boundaries crossed."""
    return f"date_sub('{node.text('unit')}', {generator.sql(node, 'expression')}, {generator.sql(node, 'this')})"


def _moved_date(kind: type[exp.Expr]) -> Callable[[DuckDBGenerator, exp.Expr], str]:
    """DATE_ADD or DATE_SUB: a DATE again, where DuckDB makes a TIMESTAMP of it."""
    usual = DuckDBGenerator.TRANSFORMS[kind]
    return lambda generator, node: f"CAST({usual(generator, node)} AS DATE)"


def _truncated_date(generator: DuckDBGenerator, node: exp.DateTrunc) -> str:
    """DATE_TRUNC of what is known to be a DATE stays one."""
    usual, value = generator.datetrunc_sql(node), node.this
    dated = isinstance(value, exp.Date | exp.DateAdd | exp.DateSub | exp.DateTrunc | exp.CurrentDate)
    dated = dated or (isinstance(value, exp.Cast) and value.to.this == exp.DType.DATE)
    return f"CAST({usual} AS DATE)" if dated or _known(value) == "DATE" else usual


def _trim(generator: DuckDBGenerator, node: exp.Trim) -> str:
    """TRIM without a second argument takes all white space of Unicode away, not blanks alone."""
    name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(node.text("position").upper(), "trim")
    signs = generator.sql(node, "expression") or f"'{WHITE_SPACE}'"
    return f"{name}({generator.sql(node, 'this')}, {signs})"


def _case(own: str, full: str) -> Callable[[DuckDBGenerator, exp.Func], str]:
    """UPPER or LOWER: DuckDB's for ASCII, and all of Unicode's special cases else."""

    def written(generator: DuckDBGenerator, node: exp.Func) -> str:
        value = generator.sql(node, "this")
        return f"CASE WHEN strlen({value}) = length({value}) THEN {own}({value}) ELSE {full}({value}) END"

    return written


def _parse_json(generator: DuckDBGenerator, node: exp.ParseJSON) -> str:
    return f"CAST(bq_json_text({generator.sql(node, 'this')}) AS JSON)"


def _json_value(generator: DuckDBGenerator, node: exp.JSONExtractScalar) -> str:
    """Null where the path leads to an object or an array."""
    value, path = generator.sql(node, "this"), generator.sql(node, "expression")
    whole = f"json_type(json_extract({value}, {path})) IN ('OBJECT', 'ARRAY')"
    return f"CASE WHEN {whole} THEN NULL ELSE json_extract_string({value}, {path}) END"


def _count_if(generator: DuckDBGenerator, node: exp.CountIf) -> str:
    """0 where nothing is true, even where all is null."""
    return f"count(CASE WHEN {generator.sql(node, 'this')} THEN 1 END)"


def _divide(generator: DuckDBGenerator, node: exp.Div) -> str:
    left, right = generator.sql(node, "this"), generator.sql(node, "expression")
    return f"{left} / {right}" if node.args.get("safe") else f"bq_divide({left}, {right})"


class Local(DuckDB):
    """DuckDB's dialect as the warehouse speaks it."""

    class Generator(DuckDBGenerator):
        TRANSFORMS = {  # noqa: RUF012 - sqlglot's own declaration
            **DuckDBGenerator.TRANSFORMS,
            exp.Cast: _cast,
            exp.TryCast: _cast,
            exp.JSONFormat: _json,
            exp.LowerHex: _hex,
            exp.UnixToTime: _unix,
            exp.TimestampDiff: _difference,
            exp.Div: _divide,
            exp.DateAdd: _moved_date(exp.DateAdd),
            exp.DateSub: _moved_date(exp.DateSub),
            exp.DateTrunc: _truncated_date,
            exp.Trim: _trim,
            exp.Upper: _case("upper", "bq_upper"),
            exp.Lower: _case("lower", "bq_lower"),
            exp.ParseJSON: _parse_json,
            exp.CountIf: _count_if,
            exp.FarmFingerprint: _fingerprint,
            exp.ByteLength: _byte_length,
            exp.JSONExtractScalar: _json_value,
        }

        def strtotime_sql(self, expression: exp.StrToTime) -> str:
            return f"CAST({super().strtotime_sql(expression)} AS TIMESTAMPTZ)"
