"""Buckets and generations: the one place where anything changes."""

import bisect
import re
import threading
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

from localcloud.storage.content import Content, Sink
from localcloud.storage.disk import Disk
from localcloud.storage.errors import Refused, not_found
from localcloud.storage.resources import BucketSettings, ObjectSettings, StoredBucket, StoredObject
from localcloud.storage.rules import (
    NO_CONDITIONS,
    Conditions,
    check_name,
    check_policy_change,
    check_removable,
    with_policy_dated,
)


def now() -> datetime:
    return datetime.now(UTC)


class Store:
    """Every method is atomic: it holds, or it raises Refused and nothing has changed."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._lock = threading.RLock()
        self._buckets: dict[str, StoredBucket] = {bucket.name: bucket for bucket in disk.load_buckets()}
        self._versions: dict[str, dict[str, list[StoredObject]]] = defaultdict(dict)
        self._names: dict[str, list[str]] = defaultdict(list)
        self._last_generation = 0
        for name in self._buckets:
            for stored in disk.load_objects(name):
                self._remember(stored)

    def new_sink(self) -> Sink:
        return Sink(self._disk.new_upload())

    # Buckets

    def buckets(self) -> list[StoredBucket]:
        return list(self._buckets.values())

    def bucket(self, name: str) -> StoredBucket:
        try:
            return self._buckets[name]
        except KeyError:
            raise not_found("The specified bucket") from None

    def create_bucket(self, settings: BucketSettings) -> StoredBucket:
        with self._lock:
            if settings.name in self._buckets:
                raise Refused(409, "conflict", f"The bucket {settings.name} exists already, and you own it.")
            moment = now()
            dated = with_policy_dated(settings, None, moment)
            bucket = StoredBucket(**dict(dated), time_created=moment, updated=moment)
            self._disk.add_bucket(bucket)
            self._buckets[bucket.name] = bucket
            return bucket

    def change_bucket(
        self, name: str, conditions: Conditions, change: Callable[[StoredBucket], BucketSettings]
    ) -> StoredBucket:
        with self._lock:
            before = self.bucket(name)
            conditions.check(0, before.metageneration)
            settings = change(before)
            fields = {field: getattr(settings, field) for field in BucketSettings.model_fields}
            after = before.model_copy(
                update={**fields, "metageneration": before.metageneration + 1, "updated": now(), "name": name}
            )
            check_policy_change(before, after)
            self._disk.save_bucket(after)
            self._buckets[name] = after
            return after

    def delete_bucket(self, name: str, conditions: Conditions) -> None:
        with self._lock:
            conditions.check(0, self.bucket(name).metageneration)
            if self._versions[name]:
                raise Refused(409, "conflict", "The bucket you tried to delete is not empty.")
            self._disk.remove_bucket(name)
            del self._buckets[name], self._versions[name]

    # Objects

    def names(self, bucket: str) -> list[str]:
        """Every name with a generation, live or not, in the order of their UTF-8 bytes."""
        with self._lock:
            self.bucket(bucket)
            return list(self._names[bucket])

    def versions(self, bucket: str, name: str) -> list[StoredObject]:
        """The generations of a name, oldest first."""
        return list(self._versions[bucket].get(name, ()))

    def live(self, bucket: str, name: str) -> StoredObject | None:
        versions = self._versions[bucket].get(name)
        return versions[-1] if versions and versions[-1].time_deleted is None else None

    def find(self, bucket: str, name: str, generation: int | None = None) -> StoredObject:
        """The live generation, or the one named. Raises: Refused 404."""
        self.bucket(bucket)
        if generation is None:
            found = self.live(bucket, name)
        else:
            found = next((one for one in self.versions(bucket, name) if one.generation == generation), None)
        if found is None:
            raise Refused(404, "notFound", f"No such object: {bucket}/{name}")
        return found

    def open(
        self, bucket: str, name: str, generation: int | None = None, conditions: Conditions = NO_CONDITIONS
    ) -> tuple[StoredObject, BinaryIO]:
        """A generation and its content, which stays readable whatever happens to the object meanwhile."""
        with self._lock:
            found = self.find(bucket, name, generation)
            conditions.check_object(found, reading=True)
            return found, self._disk.data(found).open("rb", buffering=0)

    def check_write(self, bucket: str, name: str, conditions: Conditions) -> None:
        """Whether the name could be written now: asked when an upload begins, and again at its close."""
        check_name(name)
        current = self.live(self.bucket(bucket).name, name)
        conditions.check_object(current)
        if current is not None:
            check_removable(self.bucket(bucket), current, now())

    def commit(
        self,
        bucket: str,
        name: str,
        content: Content,
        settings: ObjectSettings,
        conditions: Conditions,
        component_count: int | None = None,
    ) -> StoredObject:
        """The content becomes the live generation. Refused or not, its file is no longer the caller's."""
        try:
            with self._lock:
                self.check_write(bucket, name, conditions)
                home, moment = self.bucket(bucket), now()
                self._last_generation = max(self._last_generation + 1, int(moment.timestamp() * 1_000_000))
                held = home.default_event_based_hold if settings.event_based_hold is None else settings.event_based_hold
                stored = StoredObject(
                    **{
                        **dict(settings),
                        "content_type": settings.content_type or "application/octet-stream",
                        "storage_class": settings.storage_class or home.storage_class,
                        "event_based_hold": held,
                    },
                    bucket=bucket,
                    name=name,
                    generation=self._last_generation,
                    size=content.size,
                    crc32c=content.crc32c,
                    md5_hash=content.md5,
                    component_count=component_count,
                    time_created=moment,
                    time_finalized=moment,
                    updated=moment,
                    retention_start=None if held else moment,
                )
                self._disk.add_object(stored, content.path)
                self._remember(stored)
                return stored
        finally:
            content.path.unlink(missing_ok=True)

    def change_object(
        self,
        found: StoredObject,
        conditions: Conditions,
        change: Callable[[StoredObject], ObjectSettings],
    ) -> StoredObject:
        """The same generation with other settings, its metageneration one higher."""
        with self._lock:
            before = self.find(found.bucket, found.name, found.generation)
            conditions.check_object(before)
            settings = change(before)
            fields = {field: getattr(settings, field) for field in ObjectSettings.model_fields}
            start = None if settings.event_based_hold else before.retention_start or now()
            after = before.model_copy(
                update={
                    **fields,
                    "metageneration": before.metageneration + 1,
                    "updated": now(),
                    "retention_start": start,
                }
            )
            self._disk.save_object(after)
            versions = self._versions[found.bucket][found.name]
            versions[versions.index(before)] = after
            return after

    def delete(self, bucket: str, name: str, generation: int | None, conditions: Conditions) -> None:
        """In a versioned bucket the live generation becomes a noncurrent one, unless it was named."""
        with self._lock:
            found = self.find(bucket, name, generation)
            conditions.check_object(found)
            check_removable(self.bucket(bucket), found, now())
            if self.bucket(bucket).versioned and generation is None:
                self._archive(found)
            else:
                self._forget(found)

    def age(self, match: re.Pattern[str], by: timedelta) -> None:
        """Make objects older whose `bucket/name` matches, as if time had passed."""
        with self._lock:
            for bucket, names in self._versions.items():
                for name, versions in names.items():
                    if match.search(f"{bucket}/{name}"):
                        versions[:] = [
                            one.model_copy(update={"time_created": one.time_created - by}) for one in versions
                        ]

    # Under the lock

    def _remember(self, stored: StoredObject) -> None:
        self._last_generation = max(self._last_generation, stored.generation)
        names = self._versions[stored.bucket]
        if stored.name not in names:
            names[stored.name] = []
            bisect.insort(self._names[stored.bucket], stored.name)
        previous = self.live(stored.bucket, stored.name)
        names[stored.name].append(stored)
        if previous is None:
            return
        if self._buckets[stored.bucket].versioned:
            self._archive(previous)
        else:
            self._forget(previous)

    def _archive(self, stored: StoredObject) -> None:
        versions = self._versions[stored.bucket][stored.name]
        noncurrent = stored.model_copy(update={"time_deleted": now()})
        self._disk.save_object(noncurrent)
        versions[versions.index(stored)] = noncurrent

    def _forget(self, stored: StoredObject) -> None:
        versions = self._versions[stored.bucket][stored.name]
        versions.remove(stored)
        self._disk.remove_object(stored)
        if not versions:
            del self._versions[stored.bucket][stored.name]
            names = self._names[stored.bucket]
            del names[bisect.bisect_left(names, stored.name)]
