"""When a change is allowed: preconditions, holds and retention. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from localcloud.storage.errors import Refused, invalid
from localcloud.storage.resources import BucketSettings, RetentionPolicy, StoredBucket, StoredObject

CONDITION_NAMES = ("GenerationMatch", "GenerationNotMatch", "MetagenerationMatch", "MetagenerationNotMatch")
CLIENT_SPELLING = {"ifMetagenerationNotMatch": "ifMetaGenerationNotMatch"}
"""google-cloud-storage writes this one in another way when it uploads."""
LONGEST_NAME = 1024


@dataclass(frozen=True, slots=True)
class Conditions:
    """The preconditions of a request. Generation 0 stands for "there is no live object"."""

    generation_match: int | None = None
    generation_not_match: int | None = None
    metageneration_match: int | None = None
    metageneration_not_match: int | None = None

    @classmethod
    def read(cls, given: Mapping[str, str], prefix: str = "if") -> Self:
        """From query parameters: `ifGenerationMatch`, or with the prefix "ifSource" `ifSourceGenerationMatch`."""
        values: list[int | None] = []
        for name in CONDITION_NAMES:
            text = given.get(prefix + name, given.get(CLIENT_SPELLING.get(prefix + name, "")))
            if text is not None and not text.isdigit():
                raise invalid(f"Invalid value for {prefix}{name}: {text}")
            values.append(None if text is None else int(text))
        return cls(*values)

    def check(self, generation: int, metageneration: int, *, reading: bool = False) -> None:
        """Raises: Refused 412 where a condition does not hold; 304 for a read that a not-match turns down."""
        for wanted, actual in ((self.generation_match, generation), (self.metageneration_match, metageneration)):
            if wanted is not None and wanted != actual:
                raise _condition_not_met(412)
        for unwanted, actual in (
            (self.generation_not_match, generation),
            (self.metageneration_not_match, metageneration),
        ):
            if unwanted is not None and unwanted == actual:
                raise _condition_not_met(304 if reading else 412)

    def check_object(self, found: StoredObject | None, *, reading: bool = False) -> None:
        self.check(found.generation if found else 0, found.metageneration if found else 0, reading=reading)


NO_CONDITIONS = Conditions()


def check_name(name: str) -> None:
    """Raises: Refused 400 for what cannot name an object (Cloud Storage documentation, "About objects")."""
    if not 1 <= len(name.encode()) <= LONGEST_NAME or name in (".", "..") or "\n" in name or "\r" in name:
        raise invalid(f"Invalid object name: {name!r}")


def _condition_not_met(status: int) -> Refused:
    return Refused(status, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")


def retention_end(bucket: StoredBucket, stored: StoredObject) -> datetime | None:
    """When the bucket's policy lets go of the object; None without a policy, or while an event-based hold lasts."""
    if bucket.retention_policy is None or stored.retention_start is None:
        return None
    return stored.retention_start + timedelta(seconds=bucket.retention_policy.retention_period)


def check_removable(bucket: StoredBucket, stored: StoredObject, now: datetime) -> None:
    """Deleting and overwriting are one question to a hold and to a retention policy.

    Raises: Refused 403 while either protects the object.
    """
    what = f"Object '{stored.bucket}/{stored.name}'"
    for held, kind in ((stored.temporary_hold, "Temporary"), (stored.event_based_hold, "Event-Based")):
        if held:
            raise Refused(403, "forbidden", f"{what} is under active {kind} hold and cannot be deleted or overwritten.")
    end = retention_end(bucket, stored)
    if end is not None and now < end:
        raise Refused(
            403,
            "retentionPolicyNotMet",
            f"{what} is subject to bucket's retention policy and cannot be deleted or overwritten until {end}.",
        )


def with_policy_dated(settings: BucketSettings, before: RetentionPolicy | None, now: datetime) -> BucketSettings:
    """The settings with what only the service says about a retention policy: since when, and whether it is locked."""
    if settings.retention_policy is None:
        return settings
    said = {
        "effective_time": before.effective_time if before else now,
        "is_locked": before.is_locked if before else None,
    }
    return settings.model_copy(update={"retention_policy": settings.retention_policy.model_copy(update=said)})


def check_policy_change(before: StoredBucket, after: StoredBucket) -> None:
    """Raises: Refused 403 where a locked retention policy would become shorter or go."""
    locked, then = before.retention_policy, after.retention_policy
    if locked is None or not locked.is_locked:
        return
    if then is None or then.retention_period < locked.retention_period:
        raise Refused(403, "forbidden", f"Cannot reduce the locked retention policy of bucket {before.name}.")
