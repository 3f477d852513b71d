"""What the partner shows of our files: listed, asked for by name where the listing is closed, or not to be asked."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from pipeline import log
from pipeline.budget import Budget
from pipeline.clients.directory import directory
from pipeline.errors import CredentialsUnavailable, OutOfTime, PartnerUnavailable, PartnerUntrusted, PipelineError
from pipeline.records.schema import Delivered, FileState, PartnerAnswer
from pipeline.run import Run

SHARE: Final = 1 / 3
"""The part of the time that is left which the partner may take to answer; after that certify goes on without it."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The partner's answer; `sizes` of the files that it spoke of, None for one that it said is absent.

    `temporary` are the names of unfinished files.
    """

    answer: PartnerAnswer
    sizes: Mapping[str, int | None] = field(default_factory=dict)
    temporary: tuple[str, ...] = ()


def ask(names: Collection[str], run: Run) -> Shown:
    """List our directory at the partner, or ask for each of the names where that is not permitted.

    A partner that cannot be asked is an answer of its own, with an event: it says nothing about any file. Raises
    OutOfTime where the run's own time is over.
    """
    bounded = replace(run, budget=Budget.of(run.budget.left() * SHARE, patience=run.budget.patience))
    try:
        with directory(bounded.partner()) as opened:
            entries = opened.entries()
            if entries is None:
                return Shown("listing closed", opened.sizes(sorted(names)) or {})
    except PartnerUntrusted as error:
        run.alarm("partner.untrusted", error.message, code=error.code)
        return Shown("not asked")
    except (PartnerUnavailable, CredentialsUnavailable, OutOfTime) as error:
        run.budget.left()
        log.emit("partner.unavailable", error.message, code=error.code)
        return Shown("not asked")
    listed = {entry.name: entry.size for entry in entries if entry.kind == "file"}
    temporary = tuple(name for name in listed if name.startswith(".") and name.endswith(".part"))
    return Shown("listed", {**dict.fromkeys(names), **listed}, temporary)


def state_of(one: Delivered, shown: Shown, last: FileState | None, *, collects: bool) -> FileState:
    """What is known of a delivered file. `last` is what an earlier certificate says of the same delivery.

    A file that is absent is gone where the partner takes none away; else it was collected, if it was seen whole before.
    """
    if one.file_name in shown.sizes:
        size = shown.sizes[one.file_name]
        if size is not None:
            return "whole" if size == one.size else "another size"
        if not collects:
            return "gone"
        seen_whole = one.confirmation != "not permitted" or last in ("whole", "confirmed")
        return "collected" if seen_whole else "unproven"
    if last is not None:
        return last
    if one.confirmation == "size":
        return "confirmed"
    return "collected" if one.confirmation == "already collected" and collects else "unproven"


def sweep(file_names: Collection[str], shown: Shown, run: Run) -> int:
    """Remove the temporary files of these files, all of which are at the partner whole; how many there were.

    An attempt that is at work on one finds the final name whole when it is about to rename.
    """
    known = set(file_names)
    left = [name for name in shown.temporary if (of := re.fullmatch(r"\.(.+)\.\w+\.part", name)) and of[1] in known]
    if left:
        try:
            with directory(run.partner()) as opened:
                for name in left:
                    opened.remove(name)
        except PipelineError as error:
            log.emit("partner.unavailable", error.message, code=error.code)
    return len(left)
