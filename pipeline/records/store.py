"""Create-only records: what was planned, refused, sealed, sent and proven, a JSON object each, never changed."""

from __future__ import annotations

import uuid
from datetime import datetime
from functools import partial
from typing import Final

from pipeline.clients.storage import Bucket, StoredObject
from pipeline.contracts.dataset import Dataset
from pipeline.records.envelope import parsed, written
from pipeline.records.folder import DELIVERIES, SlotFolder, bare
from pipeline.records.reading import stored
from pipeline.records.returns import ReturnsFolder, returns_folder
from pipeline.records.schema import Alarm, Answer, Emitted
from pipeline.streams import background
from pipeline.window import Delivery, Slot, Window

CONTRACTS: Final = "contracts"
STATUS: Final = "status"
ANSWERS: Final = "answers"
ALARMS: Final = "alarms"
EMITTED: Final = ".emitted"


class Records:
    """The records bucket, within the budget of one run."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def folder(self, slot: Slot, *, likely: tuple[str, ...] = ()) -> SlotFolder:
        """The records of a slot, from one listing. Raises ArchiveUnavailable.

        `likely` names records that are wanted if they exist: they are read while the store makes the listing. As a
        record never changes, what was read is what was listed; one that is listed and was not read yet is read later.
        """
        prefix = f"{DELIVERIES}/{slot.folder}/"
        paths = [f"{prefix}{name}.json" for name in likely]
        reads = [partial(self._bucket.read, path) for path in paths]
        listed, *contents = background.together(partial(self._bucket.created, prefix), *reads)
        names = {bare(name, prefix): at for name, at in listed.items()}
        return SlotFolder(slot, names, self._bucket, dict(zip(paths, contents, strict=True)))

    def folders(self, dataset: str, window: Window) -> dict[Slot, SlotFolder]:
        """The folders of every hour of a long window, from one listing a day. Raises ArchiveUnavailable."""
        days = sorted({hour.start.date() for hour in window.hours()})
        by_folder: dict[str, dict[str, datetime]] = {}
        for day in days:
            for name, at in self._bucket.created(f"{DELIVERIES}/{dataset}/{day:%Y/%m/%d}/").items():
                folder, revision, record = bare(name, f"{DELIVERIES}/").rsplit("/", 2)
                by_folder.setdefault(folder, {})[f"{revision}/{record}"] = at
        slots = [Slot(dataset, hour) for hour in window.hours()]
        return {slot: SlotFolder(slot, by_folder.get(slot.folder, {}), self._bucket) for slot in slots}

    def first_planned(self, dataset: str) -> datetime | None:
        """The start of the dataset's first hour that has a plan; None where none has. Raises ArchiveUnavailable."""
        name = self._bucket.first(f"{DELIVERIES}/{dataset}/", "/plan.json")
        delivery = Delivery.of_path(name.removeprefix(f"{DELIVERIES}/")) if name else None
        return delivery.slot.window.start if delivery else None

    def add_alarm(self, record: Alarm) -> None:
        """Record an alarm that the function has to emit."""
        self._bucket.create(f"{ALARMS}/{uuid.uuid4().hex}.json", written(record))

    def waiting_alarms(self) -> list[str]:
        """The names of the alarms that were not emitted yet. Raises ArchiveUnavailable."""
        names = {bare(path, f"{ALARMS}/") for path in self._bucket.names(f"{ALARMS}/")}
        return sorted(name for name in names if not name.endswith(EMITTED) and f"{name}{EMITTED}" not in names)

    def alarm(self, name: str) -> Alarm | None:
        """A recorded alarm; None where it is gone. Raises ArchiveUnavailable, RecordDamaged."""
        return stored(self._bucket, f"{ALARMS}/{name}.json", Alarm)

    def alarm_emitted(self, name: str) -> None:
        """Record that the function has emitted the alarm."""
        self._bucket.create(f"{ALARMS}/{name}{EMITTED}.json", written(Emitted()))

    def archived(self, name: str) -> StoredObject | None:
        """What a sealed record says of an archived object; None where no record names it.

        Raises ArchiveUnavailable, RecordDamaged.
        """
        delivery = Delivery.of_path(name)
        folder = self.folder(delivery.slot).revision(delivery.revision) if delivery else None
        for part in folder.sealed_parts if folder else ():
            record = folder.sealed(part) if folder else None
            for described in (record.csv, record.sealed) if record else ():
                if described.name == name:
                    return described
        return None

    def contract(self, dataset: str, version: str) -> str | None:
        """The archived text of a contract; None where that version was never used. Raises ArchiveUnavailable."""
        content = self._bucket.read(_contract_path(dataset, version))
        return None if content is None else content.decode(errors="replace")

    def keep_contract(self, contract: Dataset) -> bool:
        """Archive the contract's text under its version; False where one is archived, this or another."""
        return self._bucket.create(_contract_path(contract.name, contract.version), contract.text.encode())

    def contract_versions(self) -> list[tuple[str, str]]:
        """Dataset and version of every contract that was ever used. Raises ArchiveUnavailable."""
        paths = (path.split("/") for path in self._bucket.names(f"{CONTRACTS}/"))
        return [(path[1], path[2].removesuffix(".yaml")) for path in paths]

    def returns(self) -> ReturnsFolder:
        """What is recorded of returned files, by one listing. Raises ArchiveUnavailable."""
        return returns_folder(self._bucket)

    def has_page(self, hour: datetime) -> bool:
        """Whether the page of all deliveries was made in an hour. Raises ArchiveUnavailable."""
        return bool(self._bucket.names(_page_path(hour)))

    def add_page(self, hour: datetime, html: str) -> str | None:
        """Keep the page of all deliveries that was made in an hour; its name, None where another was first."""
        path = _page_path(hour)
        return path if self._bucket.create(path, html.encode(), "text/html; charset=utf-8") else None

    def answer(self, cause: str) -> Answer | None:
        """What was found for a cause; None as long as nothing is. Raises ArchiveUnavailable, RecordDamaged."""
        path = _answer_path(cause)
        content = self._bucket.read(path)
        return None if content is None else parsed(content, Answer, path)

    def add_answer(self, record: Answer) -> None:
        """Record what was found for a cause; nothing where another delivery of the message has answered."""
        self._bucket.create(_answer_path(record.cause), written(record))


def _contract_path(dataset: str, version: str) -> str:
    return f"{CONTRACTS}/{dataset}/{version}.yaml"


def _answer_path(cause: str) -> str:
    return f"{ANSWERS}/{cause}.json"


def _page_path(hour: datetime) -> str:
    return f"{STATUS}/{hour:%Y/%m/%d/%H%M}.html"
