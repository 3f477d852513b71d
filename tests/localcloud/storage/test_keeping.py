"""Retention policies, holds, versions and settings."""

import pytest
from google.api_core import exceptions
from google.cloud.storage import Bucket
from google.cloud.storage.exceptions import InvalidResponse


def test_a_retention_policy_forbids_delete_and_overwrite_alike(bucket: Bucket) -> None:
    bucket.retention_period = 3600
    bucket.patch()
    blob = bucket.blob("x")
    blob.upload_from_string(b"kept")
    with pytest.raises(exceptions.Forbidden):
        blob.delete()
    with pytest.raises(exceptions.Forbidden):
        bucket.blob("x").upload_from_string(b"other")
    with pytest.raises(InvalidResponse) as refused, bucket.blob("x").open("wb") as file:
        file.write(b"other")
    assert refused.value.response.status_code == 403
    blob.reload()
    assert (blob.retention_expiration_time - blob.time_created).total_seconds() == 3600
    assert blob.download_as_bytes() == b"kept"


def test_a_locked_retention_policy_can_only_become_longer(bucket: Bucket) -> None:
    bucket.retention_period = 100
    bucket.patch()
    bucket.lock_retention_policy()
    assert bucket.retention_policy_locked
    for shorter in (50, None):
        bucket.retention_period = shorter
        with pytest.raises(exceptions.Forbidden):
            bucket.patch()
    bucket.reload()
    bucket.retention_period = 200
    bucket.patch()
    bucket.reload()
    assert (bucket.retention_period, bucket.retention_policy_locked) == (200, True)


@pytest.mark.parametrize("hold", ["temporary_hold", "event_based_hold"])
def test_a_hold_forbids_delete_and_overwrite_until_it_is_released(bucket: Bucket, hold: str) -> None:
    blob = bucket.blob("x")
    blob.upload_from_string(b"kept")
    setattr(blob, hold, True)
    blob.patch()
    with pytest.raises(exceptions.Forbidden):
        blob.delete()
    with pytest.raises(exceptions.Forbidden):
        bucket.blob("x").upload_from_string(b"other")
    setattr(blob, hold, False)
    blob.patch()
    blob.delete()
    assert not bucket.blob("x").exists()


def test_a_versioned_bucket_keeps_what_was_overwritten_or_deleted(bucket: Bucket) -> None:
    bucket.versioning_enabled = True
    bucket.patch()
    for content in (b"1", b"2"):
        bucket.blob("x").upload_from_string(content)
    bucket.blob("x").delete()
    assert not bucket.blob("x").exists()
    assert list(bucket.list_blobs()) == []
    kept = list(bucket.list_blobs(versions=True))
    assert [bucket.blob("x", generation=one.generation).download_as_bytes() for one in kept] == [b"1", b"2"]
    assert all(one.time_deleted for one in kept)
    bucket.blob("x", generation=kept[0].generation).delete()
    assert [one.generation for one in bucket.list_blobs(versions=True)] == [kept[1].generation]
    bucket.blob("x").upload_from_string(b"3", if_generation_match=0)


def test_bucket_settings_are_stored_and_a_full_bucket_cannot_be_deleted(bucket: Bucket) -> None:
    bucket.labels = {"a": "b"}
    bucket.add_lifecycle_delete_rule(age=30)
    bucket.patch()
    again = bucket.client.get_bucket(bucket.name)
    assert again.labels == {"a": "b"}
    assert list(again.lifecycle_rules) == [{"action": {"type": "Delete"}, "condition": {"age": 30}}]
    bucket.blob("x").upload_from_string(b"1")
    with pytest.raises(exceptions.Conflict):
        bucket.delete()
    with pytest.raises(exceptions.Conflict):
        bucket.client.create_bucket(bucket.name)
    bucket.blob("x").delete()
    bucket.delete()
    assert not bucket.exists()
