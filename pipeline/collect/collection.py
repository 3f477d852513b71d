"""Collect: fetch what the partner returned (errors, acknowledgements), archive, open, match and report it.

One bad file stops no other. What became of each is an event and a record: collected, skipped for good, or failed and
to be tried again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import cached_property
from typing import Final

from pipeline import log
from pipeline.clients.directory import Directory, Kind, Listed, directory
from pipeline.clients.names import shown
from pipeline.clients.ssh import Server
from pipeline.clients.storage import StoredObject
from pipeline.collect.matching import Meaning, about, meaning, sent
from pipeline.contracts.returned import Descriptions, load
from pipeline.errors import CredentialsUnavailable, KeyUnusable, PartnerRefused, PartnerUnavailable
from pipeline.messages import Request, write
from pipeline.pgp.decrypt import PLAIN, Content, Reading, is_message, opened, reading
from pipeline.records.returns import answer
from pipeline.records.schema import Outcome, Returned
from pipeline.run import Run
from pipeline.window import Slot

MOST: Final = 64 * 1024 * 1024
"""Bytes of the largest file that is fetched, and of the most that one opens to; errors and acknowledgements are far
smaller."""

_NO_FILE: Final[dict[Kind, str]] = {
    "file": "It is no file that can be collected: its name is a path.",
    "directory": "It is no file that can be collected, but a directory.",
    "link": "It is no file that can be collected, but a link.",
    "other": "It is no file that can be collected, but a pipe, a socket or a device.",
}

_UNOPENED: Final = Content(None, "not opened")

PIECE: Final = 8 * 1024 * 1024
OPEN_SECONDS: Final = 60.0
READ_SECONDS: Final = 30.0
"""How long a file may take to be read, and one second more for each of its SECOND_BYTES."""
SECOND_BYTES: Final = 250_000


def collect(run: Run) -> list[Returned]:
    """Fetch every file that was not fetched before; what became of each. Nothing where no returns server is set.

    A file is archived and reported before it is recorded, and recorded before it is deleted at the partner (where the
    settings ask for that at all). Where our keys cannot be had, encrypted files wait and plain ones do not; the error
    is raised in the end. Raises PartnerUnavailable, PartnerUntrusted, KeyUnusable, CredentialsUnavailable,
    ArchiveUnavailable, OutOfTime; what was collected until then stays.
    """
    with run.stage("collect") as figures, ExitStack() as ending:
        server = run.returns()
        if server is None:
            return []
        collector = _Collector(server, run, ending)
        collector.collect()
        files = collector.results
        figures.add(files=len(files), errors=sum(file.error for file in files), problems=_problems(files))
        if collector.keys_missing is not None:
            raise collector.keys_missing
        return files


def _problems(files: list[Returned]) -> int:
    return sum(file.problem is not None for file in files)


class _Collector:
    """One run over one returns server; `results` grows as files are dealt with."""

    def __init__(self, server: Server, run: Run, ending: ExitStack) -> None:
        self.results: list[Returned] = []
        self.keys_missing: KeyUnusable | CredentialsUnavailable | None = None
        self._server = server
        self._run = run
        self._ending = ending
        self._keys: Reading | None = None
        self._recorded = run.records.returns()
        self._collected: set[tuple[str, int, int]] = set()
        self._judged: set[Slot] = set()

    def collect(self) -> None:
        """Deal with every entry that is not recorded; those that failed before come last, so that they stop none."""
        with _Connection(self._server) as there:
            new = [entry for entry in _listed(there.directory) if not self._has(entry, "collected", "skipped")]
            for entry in sorted(new, key=lambda entry: self._has(entry, "failed")):
                self._deal_with(entry, there)
            if self._run.settings.returns_delete:
                # Listed anew: what was replaced while the others were fetched is another file, not fetched yet.
                for entry in _listed(there.directory):
                    if self._may_be_deleted(entry):
                        there.directory.remove(entry.name)

    def _deal_with(self, entry: Listed, there: _Connection) -> None:
        if entry.kind != "file" or "/" in entry.name:
            self._report(entry, "skipped", _NO_FILE[entry.kind])
        elif entry.size > MOST:
            self._report(entry, "skipped", f"It is larger than {MOST} bytes; fetch it by hand.")
        else:
            try:
                content = there.directory.read(entry.name, entry.size + 1, READ_SECONDS + entry.size / SECOND_BYTES)
            except PartnerUnavailable as error:
                self._report(entry, "failed", error.message)
                if not isinstance(error, PartnerRefused):
                    there.open_again()
                return
            if len(content) != entry.size:
                self._report(entry, "failed", "It is still being written: its size is not the listed one.")
            else:
                self._keep(entry, content)

    def _keep(self, entry: Listed, raw: bytearray) -> None:
        """Archive a file, open it, report and record it; nothing where that needs our keys and they are missing."""
        if is_message(raw) and self._reading() is None:
            return
        name = shown(entry.name)
        place = f"returns/{self._run.now():%Y/%m/%d}/{self._run.attempt}"
        archived = self._run.archive.write(f"{place}/{name}", _pieces(raw))
        content = self._opened(raw)
        said = self._meaning(name, content.opened if content.opened is not None else None if is_message(raw) else raw)
        raw.clear()  # both may be large
        plain = None
        if content.opened is not None:
            plain = self._run.archive.write(f"{place}/opened/{name}", _pieces(content.opened))
        self._report(entry, "collected", None, content, said, archived, plain)
        self._collected.add((name, entry.size, entry.modified))

    def _report(
        self,
        entry: Listed,
        outcome: Outcome,
        problem: str | None = None,
        content: Content = _UNOPENED,
        said: Meaning | None = None,
        archived: StoredObject | None = None,
        plain: StoredObject | None = None,
    ) -> None:
        """Emit the event of a file, tell the delivery, record the file: a lost answer repeats that, never loses it."""
        if self._has(entry, outcome):
            return  # failed again, and was reported the first time
        name = shown(entry.name)
        said = said or self._meaning(name, None)
        subject = about(name, self._run.contracts.every())
        folder = sent(subject, self._run.records) if subject else None
        if subject is not None and folder is None:
            problem = problem or f"It names {subject}, which was never sent."
        is_file = entry.kind == "file"
        record = Returned(
            file_name=name,
            size=entry.size if is_file else 0,
            modified=entry.modified if is_file else 0,
            archived=archived,
            opened=plain,
            signature=content.signature,
            error=said.error,
            dataset=subject.dataset if subject else None,
            start=subject.start if subject else None,
            revision=subject.revision if subject else None,
            part=subject.part if subject else None,
            answers=folder is not None if subject else None,
            outcome=outcome,
            problem=problem or content.problem or said.problem,
            description=str(said.description) if said.description else None,
            reasons=said.reasons,
        )
        event = _event(record)
        self._run.alarm(
            event,
            f"The returned file {name}: {record.problem}" if record.problem else None,
            file=name,
            bytes=entry.size,
            dataset=record.dataset,
            window=str(folder.delivery.slot.window) if folder else None,
            window_start=record.start.isoformat() if record.start else None,
            revision=record.revision,
            part=record.part,
            signature=record.signature,
            rows=sum(reason.rows for reason in record.reasons) if record.reasons is not None else None,
            problem=record.problem,
        )
        told = folder if is_file and outcome != "failed" and (record.error or said.acknowledges) else None
        if told is not None:
            told.add_answer(answer(record))
        self._recorded.add(record)
        if told is not None and record.error:
            self._judge(told.delivery.slot)
        if event != "returns.incomplete":
            self.results.append(record)

    def _judge(self, slot: Slot) -> None:
        """Have the slot certified now, once: its hour may be longer ago than the hourly certify looks."""
        if slot not in self._judged:
            request = Request("certify", f"collect-{self._run.attempt}", (slot.dataset,), slot.window)
            self._run.topics.publish(self._run.settings.topic, [write(request)])
            self._judged.add(slot)

    def _meaning(self, name: str, content: bytearray | None) -> Meaning:
        return meaning(name, content, self._descriptions, self._run.settings.returns_error_pattern)

    @cached_property
    def _descriptions(self) -> Descriptions:
        """How files are read, loaded with the first file; a description that is wrong is reported and not used."""
        found = load(self._run.settings.contracts_directory)
        for problem in found.problems:
            log.emit("returns.failed", f"A description of returned files cannot be used: {problem}", problem=problem)
        return found

    def _opened(self, raw: bytearray) -> Content:
        """The content of a message to us; a plain file has none."""
        keys = self._reading() if is_message(raw) else None
        if keys is None:
            return PLAIN
        return opened(keys, raw, most=MOST, seconds=self._run.budget.left(OPEN_SECONDS))

    def _reading(self) -> Reading | None:
        """Our keys, fetched when the first encrypted file needs them; None where they cannot be had."""
        if self._keys is None and self.keys_missing is None:
            try:
                self._keys = self._ending.enter_context(reading(self._run.settings, self._run.credentials))
            except (KeyUnusable, CredentialsUnavailable) as error:
                self.keys_missing = error
        return self._keys

    def _has(self, entry: Listed, *outcomes: Outcome) -> bool:
        size, modified = (entry.size, entry.modified) if entry.kind == "file" else (0, 0)
        return self._recorded.has(shown(entry.name), size, modified, *outcomes)

    def _may_be_deleted(self, entry: Listed) -> bool:
        """It is archived and recorded, and is no delivery of ours, wherever that has got to."""
        key = (shown(entry.name), entry.size, entry.modified)
        if entry.kind != "file" or not (key in self._collected or self._has(entry, "collected")):
            return False
        subject = about(entry.name, self._run.contracts.every())
        delivery = subject.delivery if subject else None
        if subject is None or delivery is None:
            return True
        deliveries = self._run.records.folder(delivery.slot).revision(delivery.revision).deliveries(subject.part)
        return all((ours.file_name, ours.size) != (entry.name, entry.size) for ours in deliveries)


class _Connection:
    """A connection to the returns server that can be replaced when a file has brought it down."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._ending = ExitStack()

    def __enter__(self) -> _Connection:
        self.directory: Directory = self._ending.enter_context(directory(self._server))
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()

    def open_again(self) -> None:
        """Close the connection and open another. Raises as `directory` does."""
        self._ending.close()
        self.directory = self._ending.enter_context(directory(self._server))


def _listed(there: Directory) -> list[Listed]:
    entries = there.entries()
    if entries is None:
        raise PartnerRefused("The returns server does not let us list its files; the partner must permit it.")
    return [entry for entry in entries if not entry.name.startswith(".")]


def _event(record: Returned) -> str:
    """The event of a file: one that is still being written is none yet, an error is told as one whatever else it is."""
    if record.outcome == "failed" and record.problem is not None and record.problem.startswith("It is still"):
        return "returns.incomplete"
    if record.error and record.outcome != "failed":
        return "returns.error"
    return "returns.failed" if record.problem else "returns.received"


def _pieces(content: bytearray) -> Iterator[bytes]:
    with memoryview(content) as view:
        for start in range(0, len(view), PIECE):
            yield bytes(view[start : start + PIECE])
