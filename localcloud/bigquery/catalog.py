"""What exists: datasets, tables, and the generations and commits that make up a table's past.

A table is a chain of generations, one physical DuckDB table each; replacing or truncating a table starts a new one.
Within a generation every write is a numbered commit, and every row carries the number of the commit that brought it
(`__born`) and of the one that took it away (`__died`). A snapshot is a generation and a commit number, hence a filter
on two integers, which DuckDB's column statistics remove where no row is hidden.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from .clock import EPOCH, millis
from .errors import BigQueryError, invalid
from .fields import Field

TIME_TRAVEL = timedelta(days=7)
NEVER = 2**31 - 1


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class DatasetRef(NamedTuple):
    project: str
    dataset: str

    def __str__(self) -> str:
        return f"{self.project}:{self.dataset}"


class TableRef(NamedTuple):
    project: str
    dataset: str
    table: str

    def __str__(self) -> str:
        return f"{self.project}:{self.dataset}.{self.table}"

    @property
    def parent(self) -> DatasetRef:
        return DatasetRef(self.project, self.dataset)

    @property
    def api(self) -> dict[str, str]:
        return {"projectId": self.project, "datasetId": self.dataset, "tableId": self.table}


def table_ref(api: dict[str, Any]) -> TableRef:
    return TableRef(api["projectId"], api["datasetId"], api["tableId"])


@dataclass(frozen=True, slots=True)
class Commit:
    number: int
    at: datetime
    added: int
    removed: int


@dataclass(slots=True, eq=False, weakref_slot=True)
class Generation:
    """One physical table. `commits` is in order and never empty once the generation can be seen.

    `sizes`: what was counted of it, by commit and condition; see sizes.py.
    """

    number: int
    fields: tuple[Field, ...]
    commits: list[Commit] = field(default_factory=list)
    sizes: dict[tuple[int, str], dict[str, int]] = field(default_factory=dict)

    @property
    def physical(self) -> str:
        return f"data.g{self.number}"

    def rows(self, number: int) -> int:
        return sum(commit.added - commit.removed for commit in self.commits if commit.number <= number)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A table as it was after one commit. Holding it keeps the rows, even when the table is dropped meanwhile."""

    ref: TableRef
    generation: Generation
    number: int
    fields: tuple[Field, ...]

    @property
    def count(self) -> int:
        return self.generation.rows(self.number)

    def sql(self, extra: str = "") -> str:
        """A parenthesised SELECT of the visible columns, and of `extra` (such as rowid) where given."""
        names = ", ".join([quote(column.name) for column in self.fields] + ([extra] if extra else []))
        where = f"__born <= {self.number} AND __died > {self.number}"
        return f"(SELECT {names} FROM {self.generation.physical} WHERE {where})"


@dataclass(slots=True, eq=False)
class Table:
    """A table or a view (`view` is its SQL). `properties` is what the REST API was given and gives back."""

    ref: TableRef
    properties: dict[str, Any]
    created: datetime
    modified: datetime
    generations: list[Generation] = field(default_factory=list)
    view: str | None = None
    view_fields: tuple[Field, ...] = ()

    @property
    def live(self) -> Generation:
        return self.generations[-1]

    @property
    def fields(self) -> tuple[Field, ...]:
        return self.live.fields if self.view is None else self.view_fields

    @property
    def expires(self) -> datetime | None:
        expiry = self.properties.get("expirationTime")
        return EPOCH + timedelta(milliseconds=int(expiry)) if expiry else None

    def snapshot(self) -> Snapshot:
        return Snapshot(self.ref, self.live, self.live.commits[-1].number, self.live.fields)

    def snapshot_at(self, at: datetime, now: datetime) -> Snapshot:
        """The table as of a time. Raises `invalid` for the future, and before the table or 7 days ago."""
        if at > now:
            raise self._no_such_time(at, f"Cannot read after {millis(now)}.")
        oldest = max(self.generations[0].commits[0].at, now - TIME_TRAVEL)
        if at < oldest:
            raise self._no_such_time(at, f"Cannot read before {millis(oldest)}.")
        generation = [one for one in self.generations if one.commits[0].at <= at][-1]
        number = max(commit.number for commit in generation.commits if commit.at <= at)
        return Snapshot(self.ref, generation, number, generation.fields)

    def _no_such_time(self, at: datetime, limit: str) -> BigQueryError:
        """As in https://cloud.google.com/bigquery/docs/time-travel; of the future the words are a guess."""
        return invalid(f"Invalid time travel timestamp {millis(at)} for table {self.ref}@{millis(at)}. {limit}")


@dataclass(slots=True, eq=False)
class Dataset:
    ref: DatasetRef
    properties: dict[str, Any]
    created: datetime
    modified: datetime
    tables: dict[str, Table] = field(default_factory=dict)


def column_list(fields: Iterable[Field]) -> str:
    return ", ".join(quote(column.name) for column in fields)
