"""Generated stories: whatever happens, a reader of every complete hour holds exactly what is to be shared.

`PSPP_DBT_STORIES=50 PSPP_DBT_HOURS=24 PSPP_DBT_BIGQUERY_STORIES=5 pytest tests/dbt/test_generated.py` runs more and
longer ones than the suite does, some of them in the local BigQuery.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final

import polars as pl
import pytest

from localcloud.dbt import PROJECT, BuildFailed, run
from localcloud.processes import start
from localcloud.warehouses import DuckDBFile, LocalBigQuery, Warehouse
from tests.dbt.conftest import killed, overtaken
from tests.dbt.generated import KINDS, Story, hour
from tests.dbt.state import KEYS, Mart, answer, key, log, settled, shared, state

STORIES = range(int(os.environ.get("PSPP_DBT_STORIES", "2")))
BIGQUERY_STORIES = [(seed, "bigquery") for seed in range(int(os.environ.get("PSPP_DBT_BIGQUERY_STORIES", "0")))]
HOURS = int(os.environ.get("PSPP_DBT_HOURS", "6"))
EVENTS = 60
NO_LIMIT = {"departure_limit": {"rows": 0, "share": 1}}


@dataclass
class Reader:
    """Reads each hour once, when it is complete, and keeps the latest row of a key."""

    read_until: dict[str, datetime] = field(default_factory=dict)
    held: dict[str, Mart] = field(default_factory=lambda: {name: {} for name in KEYS})
    hours: dict[tuple[str, datetime], list[Any]] = field(default_factory=dict)

    def read(self, warehouse: Warehouse) -> None:
        """Read what has become complete. Raises AssertionError for a row that is sent again though nothing changed."""
        marks = state(warehouse).watermark
        for name in KEYS:
            rows = sorted(log(warehouse, name), key=lambda row: (row["updated_at"], key(name, row)))
            left = {key(name, row) for row in rows if not row["in_program"]}
            for read, seen in self.hours.items():
                if read[0] == name:
                    again = [row for row in rows if row["in_program"] and _hour(row) == read[1]]
                    assert again == seen, f"{name} {read[1]}: the hour is not the same when it is read again"
            for row in rows:
                stamp, end = row["updated_at"], marks.get(name)
                if not row["in_program"] or end is None or stamp >= end or stamp < self.read_until.get(name, stamp):
                    continue
                self.hours.setdefault((name, _hour(row)), []).append(row)
                held = self.held[name].get(key(name, row))
                assert held != shared(row) or key(name, row) in left, f"{name} {key(name, row)}: sent again unchanged"
                self.held[name][key(name, row)] = shared(row)
            if name in marks:
                self.read_until[name] = marks[name]


def _hour(row: dict[str, Any]) -> datetime:
    stamp: datetime = row["updated_at"]
    return stamp.replace(minute=0, second=0, microsecond=0)


def keeps_contract(name: str, row: dict[str, Any]) -> bool:
    """Whether a row that the stories make keeps the contract; they break it in these two ways alone."""
    if name == "payments":
        return len(row["currency"]) == 3
    return name != "transactions" or row["amount"] == round(row["amount"], 2)


WRONG: Final = {"slow clock": -3, "fast clock": 3}
"""Hours by which the clock of a run may be wrong."""
RUNS: Final = ("plain", "plain", "overtaken", "twice", "skipped", "part", "untested", "failed", "killed", *WRONG)
"""What may become of an hour's run."""


def advance(warehouse: Warehouse, kind: str, random: Random, clock: datetime, project: Path = PROJECT) -> bool:
    """Do what becomes of an hour's run; whether a whole one succeeded."""
    if kind == "part":
        part = random.choice(("+identity", "payments", "+transactions", "staging"))
        run(warehouse, "build", "--select", part, now=clock, project=project)
    elif kind == "untested":
        run(warehouse, "run", now=clock, given=NO_LIMIT, project=project)
    elif kind == "failed":
        with pytest.raises(BuildFailed):
            run(warehouse, "build", now=clock, given={"departure_limit": {"rows": -1, "share": -1}}, project=project)
    elif kind == "overtaken":
        with TemporaryDirectory() as place, suppress(BuildFailed):  # where the clock was ahead, none can overtake it
            slow = overtaken(Path(place) / "project", clock.replace(minute=0), project)
            run(warehouse, "build", now=clock, given=NO_LIMIT, project=slow)
            return True
    elif kind == "killed":
        killed(warehouse, clock, random.choice(("int_payments__versions", "int_payments__changes", "identity")))
    elif kind != "skipped":
        clock += timedelta(hours=WRONG.get(kind, 0))
        run(warehouse, "build", now=clock, given=NO_LIMIT, project=project)
        if kind == "twice":
            run(warehouse, "build", now=clock + timedelta(minutes=38), given=NO_LIMIT, project=project)
        return True
    return False


RECORDS: Final = {"payments": ("payment", "payment_id"), "transactions": ("transaction", "transaction_id")}


def looked_at_again(warehouse: Warehouse, name: str, complete: datetime) -> set[str]:
    """Records that the last run took for news, though this version was settled; quarantined ones may be."""
    record, known = RECORDS[name]
    place = "amazon_pspp_staging"
    found = warehouse.rows(
        f"""SELECT DISTINCT news.{known} AS record FROM {place}.stg_ledger__{record} AS news
        JOIN {place}.int_{name}__versions AS seen
        ON seen.{known} = news.{known} AND seen.version = news.version AND seen.loaded_at = news.loaded_at
        LEFT JOIN {place}.int_{name}__quarantined AS waiting ON waiting.{known} = news.{known}
        WHERE waiting.{known} IS NULL AND seen.seen_at < TIMESTAMP '{complete:%Y-%m-%d %H:%M:%S}'"""
    )
    return set(found["record"])


def follow(seed: int, kinds: Sequence[str], warehouse: Warehouse, raw: DuckDBFile, project: Path = PROJECT) -> None:
    """Let a story happen, an hour for each kind of run, and hold what a reader has against the answer at its end.

    `raw` is given the raw rows too, where the warehouse is no file. Raises AssertionError.
    """
    reader, random = Reader(), Random(f"runs/{seed}")
    story = Story(Random(seed))

    def load(rows: Mapping[str, pl.DataFrame]) -> None:
        for place in {id(one): one for one in (warehouse, raw)}.values():
            place.load(rows)

    for _ in range(5):
        for kind in ("customer", "entity", "payment", "movement"):
            KINDS[kind](story)
    for kind in kinds:
        load(hour(story, EVENTS))
        if advance(warehouse, kind, random, story.now + timedelta(minutes=2), project):
            reader.read(warehouse)
    for last in (1, 2, 3, 4, 5, 6):
        story.now += timedelta(hours=1)
        load(story.loaded())
        if last in (1, 6):
            before = settled(warehouse)
            run(warehouse, "build", now=story.now + timedelta(minutes=2), given=NO_LIMIT, project=project)
            reader.read(warehouse)
    assert {name: looked_at_again(warehouse, name, before[name]) for name in RECORDS} == {
        name: set() for name in RECORDS
    }
    wanted = answer(raw)
    for name in KEYS:
        latest = state(warehouse).marts[name]
        good = {at for at, row in wanted[name].items() if keeps_contract(name, row)}
        assert {at: reader.held[name].get(at) for at in good} == {at: wanted[name][at] for at in good}
        assert {at for at, row in latest.items() if row["in_program"]} <= set(wanted[name])
        assert all(keeps_contract(name, row) for row in reader.held[name].values())


def picked(seed: int) -> list[str]:
    """What becomes of the runs of a story."""
    return Random(f"kinds/{seed}").choices(RUNS, k=HOURS)


@pytest.mark.parametrize(("seed", "adapter"), [(seed, "duckdb") for seed in STORIES] + BIGQUERY_STORIES)
def test_a_reader_of_every_complete_hour_holds_exactly_what_is_to_be_shared(
    seed: int, adapter: str, tmp_path: Path
) -> None:
    raw = DuckDBFile(tmp_path / "psp.duckdb")
    if adapter == "duckdb":
        follow(seed, picked(seed), raw, raw)
        return
    service = start("localcloud.bigquery", "--rest-port", "0", "--grpc-port", "0", logs=tmp_path)
    try:
        follow(seed, picked(seed), LocalBigQuery(service.ready["rest"]), raw)
    finally:
        service.stop()


@pytest.mark.parametrize("kind", ["killed", "overtaken", "slow clock", "fast clock"])
def test_a_story_whose_second_run_is_killed_overtaken_or_has_a_wrong_clock_ends_well(kind: str, tmp_path: Path) -> None:
    warehouse = DuckDBFile(tmp_path / "psp.duckdb")
    follow(7, ["plain", kind, "plain"], warehouse, warehouse)


def test_a_full_refresh_of_a_generated_story_sends_nothing_again(tmp_path: Path) -> None:
    warehouse, story = DuckDBFile(tmp_path / "psp.duckdb"), Story(Random("refresh"))
    for _ in range(3):
        warehouse.load(hour(story, 2 * EVENTS))
        run(warehouse, "build", now=story.now + timedelta(minutes=2), given=NO_LIMIT)
    before = {name: log(warehouse, name) for name in KEYS}
    run(warehouse, "build", "--full-refresh", now=story.now + timedelta(hours=1), given=NO_LIMIT)
    assert {name: log(warehouse, name) for name in KEYS} == before
