"""What BigQuery's refusals mean for whoever must act: a sentence for each, found by reason and fixed words; pure.

The text of an answer is never quoted, as it may hold values of rows. The wordings are those of
https://cloud.google.com/bigquery/docs/error-messages and https://cloud.google.com/bigquery/docs/time-travel.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer: whose reason is `reason` and whose text matches `words` (either may be anything)."""

    reason: str
    words: str
    sentence: str


PAST: Final = r"Invalid (snapshot time|time travel timestamp)"
REFUSALS: Final = (
    Refusal(
        "bytesBilledLimitExceeded",
        "",
        "The {purpose} query on {table} would bill more bytes than MAX_BYTES_BILLED allows{needed}. See that the table "
        "is partitioned by the contract's change column, or raise the setting.",
    ),
    Refusal(
        "responseTooLarge|",
        "Response too large",
        "The {purpose} query on {table} finds more than BigQuery returns at once, 10 GB compressed. Lower "
        "MAX_PART_BYTES, so that a delivery is cut into more parts.",
    ),
    Refusal(
        "accessDenied|forbidden|",
        r"row[- ](level )?access|time travel|historical data",
        "{table} has, or once had, row access policies: then only its administrators may read its past, which every "
        "delivery does. Make the table anew without policies, or give the function's account the permission "
        "bigquery.rowAccessPolicies.overrideTimeTravelRestrictions.",
    ),
    Refusal(
        "quotaExceeded",
        "",
        "A quota of BigQuery is used up, so the {purpose} query on {table} was not run. Quotas are given back within "
        "a day; where it is one of this project's own, raise it in the console under IAM, Quotas.",
    ),
    Refusal(
        "rateLimitExceeded|jobRateLimitExceeded|resourcesExceeded",
        "",
        "BigQuery has too much to do for this project just now, so the {purpose} query on {table} was not run.",
    ),
    Refusal(
        "",
        r"(numeric|integer|decimal).{0,20}overflow|overflow.{0,20}(numeric|decimal|hugeint)",
        "A control total of {table} is larger than BigQuery can sum: NUMERIC ends at 29 digits before the point, "
        "BIGNUMERIC at 38. Take it out of the contract's controlTotals.",
    ),
    Refusal(
        "",
        PAST + ".*Cannot read before",
        "{table} cannot be read as it was at the delivery's snapshot: it was dropped and made anew since, or its time "
        "travel window (the dataset's max_time_travel_hours) is shorter than TIME_TRAVEL_HOURS. Publish the window "
        'with "revise": true to take a new snapshot.',
    ),
    Refusal(
        "",
        PAST,
        "{table} was asked for at a moment that BigQuery has not reached: the clock that took the snapshot is fast. "
        "Set it right; snapshots of the function are BigQuery's own time.",
    ),
    Refusal(
        "",
        r"SYSTEM_TIME.*(not supported|view|external)|(view|external).*SYSTEM_TIME",
        "{table} is a view or an external table, of which BigQuery keeps no past. Name a table in the contract.",
    ),
)
ROLES: Final = (
    "BigQuery refuses the {purpose} query on {table} ({reason}); the function's account needs "
    "roles/bigquery.dataViewer on the dataset, and roles/bigquery.jobUser and roles/bigquery.readSessionUser on the "
    "project."
)
WRONG: Final = (
    "BigQuery refuses the {purpose} query on {table} ({reason}); its text is in the project's job list. Compare the "
    "contract's columns and filter with the table; verify-setup says what does not fit."
)


def sentence(error: object, reason: str, *, forbidden: bool, wrong: bool, purpose: str, table: str) -> str:
    """What to tell of an answer: `reason` is BigQuery's where it gave one, else the status says what kind it was."""
    text = str(error)
    for refusal in REFUSALS if forbidden or wrong or reason else ():
        if reason in _reasons(refusal) and re.search(refusal.words, text, re.IGNORECASE | re.DOTALL):
            least = re.search(r"(\d+) or higher required", text)
            needed = f" ({least[1]} are needed)" if least else ""
            return refusal.sentence.format(purpose=purpose, table=table, needed=needed)
    if forbidden:
        return ROLES.format(purpose=purpose, table=table, reason=reason or "forbidden")
    if wrong or reason in ("invalid", "invalidQuery"):
        return WRONG.format(purpose=purpose, table=table, reason=reason or "invalid")
    return f"BigQuery broke off the {purpose} query: {reason or type(error).__name__}."


def _reasons(refusal: Refusal) -> tuple[str, ...]:
    """The reasons that a refusal goes with; over gRPC there is none, and the words decide."""
    return tuple(refusal.reason.split("|")) if refusal.reason else ("", "invalid", "invalidQuery")
