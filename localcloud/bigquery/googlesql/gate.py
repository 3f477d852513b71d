"""Does Google's engine accept this statement? What it accepted for tables of the same columns is not asked again.

Accepted statements are remembered by the hash of their text and tables in the virtual environment, so that tests and
the demonstration pay for a statement once. Names of datasets and of dbt's temporary tables and literals of timestamps,
which are other ones in every run, are made the same first; a refusal is never remembered and quotes the statement as it
came.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from ..catalog import TableRef
from ..errors import invalid_query
from ..fields import Field
from . import engine, types

# What BigQuery has and the engine lacks: such a statement is let through.
# https://cloud.google.com/bigquery/docs/reference/standard-sql/aggregate_functions, .../data-definition-language
LACKING = re.compile(
    r"Function not found: (MAX_BY|MIN_BY)\b|ALTER COLUMN SET DATA TYPE|CREATE TABLE (CLONE|COPY) is not supported"
)
NOT_FOUND = re.compile(r"(Table|Dataset|Procedure) not found|not found: Table")
PLACE = re.compile(r" \[at (\d+:\d+)\]$")
INSTANT = re.compile(r"(TIMESTAMP\s+)'(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:\+00:00|Z)?)'", re.IGNORECASE)
TEMPORARY = re.compile(r"(__dbt_tmp)\d+")
ONE_INSTANT = "2000-01-01 00:00:00"
MOST_TABLES = 200
LARGEST_MEMORY_BYTES = 8 * 2**20

Columns = Callable[[Sequence[str]], tuple[Field, ...] | None]
"""The columns of the table that a statement names so, or None where there is none."""


class Gate:
    """The gate of one server; `active` where the engine is installed."""

    def __init__(self) -> None:
        self.active = engine.installed()
        self._turn = threading.Lock()
        self._tables: dict[tuple[str, ...], tuple[Field, ...]] = {}
        self._registered: int | None = None
        if self.active:  # compiled code takes a third of a second to load: meanwhile the server comes up
            threading.Thread(target=types.language, name="googlesql", daemon=True).start()

    def check(
        self,
        text: str,
        tables: Mapping[TableRef, tuple[Field, ...] | None],
        columns: Columns,
        parameters: Sequence[Mapping[str, Any]] = (),
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """Raises `invalidQuery` with Google's sentence where the statement is refused.

        `tables` are those that the statement names, with their columns; `columns` finds one by the names in the text;
        `variables` are a script's, with their types. A table that is not there is for others to miss.
        """
        if not self.active:
            return
        asked = key(text, tables, parameters, variables or {})
        memory = _memory()
        if asked in memory:
            return
        try:
            self._analyze(text, [*_names(text), *_paths(tables)], columns, parameters, variables or {})
        except engine.Refused as refusal:
            if not LACKING.search(refusal.message) and not NOT_FOUND.search(refusal.message):
                raise invalid_query(said(refusal)) from None
            return
        memory.add(asked)
        with _memory_file().open("a") as file:
            file.write(asked + "\n")

    def syntax(self, text: str) -> None:
        """Raises `invalidQuery` with Google's sentence where the text is no statement of GoogleSQL."""
        if self.active:
            try:
                _names(text)
            except engine.Refused as refusal:
                raise invalid_query(said(refusal)) from None

    def _analyze(
        self,
        text: str,
        paths: Iterable[tuple[str, ...]],
        columns: Columns,
        parameters: Sequence[Mapping[str, Any]],
        variables: Mapping[str, str],
    ) -> None:
        from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as service

        found = {path: fields for path in dict.fromkeys(paths) if (fields := columns(path)) is not None}
        request = service.AnalyzeRequest(options=types.analyzer(parameters), sql_statement=text)
        with self._turn:
            if variables:
                request.simple_catalog.CopyFrom(types.catalog(found, variables))
            else:
                request.registered_catalog_id = self._catalog(found)
            engine.engine().call("Analyze", request)

    def _catalog(self, tables: dict[tuple[str, ...], tuple[Field, ...]]) -> int:
        """A catalog that has these tables, and others that were asked for before: making one takes half the time."""
        from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as service

        if self._registered is not None and tables.items() <= self._tables.items():
            return self._registered
        if self._registered is not None:
            old = service.UnregisterRequest(registered_id=self._registered)
            engine.engine().call("UnregisterCatalog", old)
        kept = self._tables if len(self._tables) < MOST_TABLES else {}
        self._tables = kept | tables
        request = service.RegisterCatalogRequest(simple_catalog=types.catalog(self._tables, {}))
        answer = service.RegisterResponse.FromString(engine.engine().call("RegisterCatalog", request))
        self._registered = int(answer.registered_id)
        return self._registered


def said(refusal: engine.Refused) -> str:
    """Google's sentence with the place as BigQuery writes it."""
    return PLACE.sub(r" at [\1]", refusal.message)


def _names(text: str) -> list[tuple[str, ...]]:
    from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as service

    request = service.ExtractTableNamesFromStatementRequest(sql_statement=text, options=types.language())
    found = engine.engine().call("ExtractTableNamesFromStatement", request)
    answer = service.ExtractTableNamesFromStatementResponse.FromString(found)
    return [tuple(name.table_name_segment) for name in answer.table_name]


def _paths(tables: Iterable[TableRef]) -> Iterator[tuple[str, ...]]:
    """The ways to write a table's name; the engine does not say which stand in an ALTER."""
    for ref in tables:
        for names in (tuple(ref), tuple(ref[1:])):
            yield from (names, (".".join(names),))


def key(
    text: str,
    tables: Mapping[TableRef, tuple[Field, ...] | None],
    parameters: Sequence[Mapping[str, Any]],
    variables: Mapping[str, str],
) -> str:
    """What an accepted statement is remembered by."""
    parts = []
    datasets = dict.fromkeys(ref.parent for ref in tables)
    for number, dataset in enumerate(datasets):
        text = re.sub(rf"\b{re.escape(dataset.dataset)}(?=`?\.)", f"dataset{number}", text)
        text = re.sub(rf"\b{re.escape(dataset.project)}(?=`?\.`?dataset{number}\b)", f"project{number}", text)
    for ref, fields in tables.items():
        described = "-" if fields is None else " ".join(f"{one.name}:{one.sql_type}" for one in fields)
        parts.append(f"{list(datasets).index(ref.parent)}.{ref.table} {described}")
    parts += [f"{one.get('name')} {one['parameterType']}" for one in parameters]
    parts += [f"{name} {kind}" for name, kind in variables.items()]
    asked = TEMPORARY.sub(r"\1", "\n".join([INSTANT.sub(_same_instant, text), *parts]))
    return hashlib.sha256(asked.encode()).hexdigest()


def _same_instant(literal: re.Match[str]) -> str:
    with suppress(ValueError):
        datetime.fromisoformat(literal[2])
        return f"{literal[1]}'{ONE_INSTANT}'"
    return literal[0]


def _memory_file() -> Path:
    rules = hashlib.sha256(Path(types.__file__).read_bytes() + Path(__file__).read_bytes()).hexdigest()[:8]
    return engine.kept() / f"accepted-{engine.identity()}-{rules}"


@cache
def _memory() -> set[str]:
    file = _memory_file()
    if file.exists() and file.stat().st_size > LARGEST_MEMORY_BYTES:
        file.unlink()
    return set(file.read_text().split()) if file.exists() else set()
