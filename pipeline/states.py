"""Every state that a slot can be in: one table for verdicts, events, grid, page and runbook.

Certify gives the verdicts, and logs a verdict's event when it says something new about a slot. The states without an
event are progress: what the records show before certify has judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Severity = Literal["DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL"]
Colour = Literal["green", "grey", "blue", "red"]
"""Settled, nothing to see yet, under way, needs attention."""

Verdict = Literal[
    "certified",
    "acknowledged",
    "empty",
    "missing",
    "stalled",
    "refused",
    "rejected by partner",
    "late rows",
    "rows gone",
    "archive mismatch",
    "partner mismatch",
    "vanished",
    "unsettled",
    "unconfirmed",
    "source not ready",
]
Progress = Literal["delivered", "sealed", "planned", "awaited", "not due"]
StateName = Verdict | Progress


@dataclass(frozen=True, slots=True)
class State:
    """One state: how bad it is, how it is shown, what it means and what to do, each in a sentence.

    `sign` stands beside the colour, so that no meaning rests on colour alone. `event` is what certify logs; `alert`
    says that Terraform has an alert policy on it. `command` is what to type next, once the action was thought of;
    `told_by` is another event that rings for it.
    """

    severity: Severity
    sign: str
    colour: Colour
    meaning: str
    action: str
    event: str | None = None
    alert: bool = False
    command: str = "certify {window} --dataset {dataset}"
    told_by: str | None = None

    @property
    def section(self) -> str | None:
        """The section of RUNBOOK.md about it; None where no alert is."""
        event = self.event if self.alert else self.told_by
        return event.replace(".", "-") if event else None

    @property
    def needs_attention(self) -> bool:
        """Whether somebody has to look at it."""
        return self.severity in ("WARNING", "ERROR", "CRITICAL")


STATES: Final[Mapping[StateName, State]] = {
    "certified": State(
        severity="NOTICE",
        sign="✓",
        colour="green",
        meaning="Source, records, archive and partner agree on the window.",
        action="Nothing.",
        event="window.certified",
    ),
    "acknowledged": State(
        severity="NOTICE",
        sign="✔",
        colour="green",
        meaning="Certified, and the partner has returned a file about each part that is no error.",
        action="Nothing.",
        event="window.acknowledged",
    ),
    "empty": State(
        severity="INFO",
        sign="∅",
        colour="green",
        meaning="A window without rows was recorded as empty; nothing was sent.",
        action="Nothing.",
        event="window.empty",
    ),
    "delivered": State(
        severity="INFO",
        sign="→",
        colour="blue",
        meaning="At the partner, not certified yet.",
        action="Nothing; the next certify judges it.",
    ),
    "sealed": State(
        severity="INFO",
        sign="◆",
        colour="blue",
        meaning="Archived, signed and encrypted, not at the partner yet.",
        action="Nothing; its message is delivered again until it is uploaded.",
    ),
    "planned": State(
        severity="INFO",
        sign="◇",
        colour="blue",
        meaning="Counted at one snapshot, not sealed yet.",
        action="Nothing; its message is delivered again until it is sealed.",
    ),
    "awaited": State(
        severity="INFO",
        sign="·",
        colour="grey",
        meaning="The window ended less than an hour ago and nothing is recorded yet.",
        action="Nothing; the hourly message starts it.",
    ),
    "not due": State(
        severity="INFO",
        sign="-",
        colour="grey",
        meaning="Outside the time for which files are sent: the contract's, and from FIRST_HOUR or the first plan on.",
        action="Nothing.",
    ),
    "source not ready": State(
        severity="WARNING",
        sign="…",
        colour="red",
        meaning="A window is due and the warehouse has not finished it.",
        action="Find out why the tables are late; the delivery goes on by itself when they are complete.",
        event="window.not_ready",
        alert=True,
    ),
    "unconfirmed": State(
        severity="WARNING",
        sign="?",
        colour="red",
        meaning="Nothing shows that the file arrived: the partner takes files away, or closes its listing to us.",
        action="Ask the partner whether it has the file; set SFTP_COLLECTS where it takes files away.",
        event="window.unconfirmed",
    ),
    "late rows": State(
        severity="WARNING",
        sign="+",
        colour="red",
        meaning="Rows arrived after the window was delivered.",
        action="Nothing where REVISE_LATE_ROWS is on: a revision is sent. Else publish the window with --revise.",
        command="republish {window} --dataset {dataset} --revise",
        event="window.late_rows",
        alert=True,
    ),
    "rows gone": State(
        severity="WARNING",
        sign="−",
        colour="red",
        meaning="Rows that were sent are in no window of the source any more.",
        action="Find out who deleted them; sending again cannot take rows back from the partner.",
        event="window.rows_gone",
        alert=True,
    ),
    "refused": State(
        severity="WARNING",
        sign="✗",
        colour="red",
        meaning="A window is refused because rows break the contract; nothing of it was sent.",
        action="Fix the rows at the source, then publish the window again.",
        command="republish {window} --dataset {dataset}",
        event="window.refused",
        told_by="rows.refused",
    ),
    "unsettled": State(
        severity="WARNING",
        sign="~",
        colour="red",
        meaning="An upload broke off, and half of its file may still appear at the partner; the file is sent again.",
        action="Nothing; it is sent again until an upload that began two hours after the broken one succeeds.",
        event="window.unsettled",
        alert=True,
    ),
    "stalled": State(
        severity="ERROR",
        sign="‖",
        colour="red",
        meaning="A delivery was begun more than an hour ago and is not at the partner; it is published again.",
        action="Fix what the last error names; the delivery goes on by itself.",
        command="republish {window} --dataset {dataset}",
        event="window.stalled",
        alert=True,
    ),
    "missing": State(
        severity="ERROR",
        sign="!",
        colour="red",
        meaning="A window has rows at the source and no delivery; it is published again.",
        action="Nothing where it is published again; else publish the window.",
        command="republish {window} --dataset {dataset}",
        event="window.missing",
        alert=True,
    ),
    "rejected by partner": State(
        severity="ERROR",
        sign="⊘",
        colour="red",
        meaning="The partner returned an error about the delivery as it was sent last.",
        action="Read the returned file, fix the rows at the source and publish the window with --revise.",
        command="republish {window} --dataset {dataset} --revise",
        event="window.rejected",
        alert=True,
    ),
    "partner mismatch": State(
        severity="ERROR",
        sign="≠",
        colour="red",
        meaning="The partner holds a file of another size than was sent; it is sent again.",
        action="Watch whether the file is replaced; ask the partner where it comes back.",
        command="republish {window} --dataset {dataset} --resend",
        event="window.partner_mismatch",
        alert=True,
    ),
    "vanished": State(
        severity="ERROR",
        sign="∄",
        colour="red",
        meaning="A file that was sent is not, or no longer, at the partner; it is sent again, once.",
        action="Ask the partner who removed it; set SFTP_COLLECTS where the partner takes files away.",
        command="republish {window} --dataset {dataset} --resend",
        event="window.vanished",
        alert=True,
    ),
    "archive mismatch": State(
        severity="CRITICAL",
        sign="≢",
        colour="red",
        meaning="An archived object or a record is not what was written.",
        action="Find out in the audit log who changed it, then publish the window with --revise.",
        command="republish {window} --dataset {dataset} --revise",
        event="window.mismatch",
        alert=True,
    ),
}
"""The settled ones first, the worst last."""
