"""Creating once: every precondition, at the start and at the close of an upload."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud.storage import Bucket
from google.cloud.storage.exceptions import InvalidResponse

CHUNK = 256 << 10


def test_a_retried_create_answers_412_and_keeps_the_first_content(bucket: Bucket) -> None:
    bucket.blob("x").upload_from_string(b"first", if_generation_match=0)
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("x").upload_from_string(b"second", if_generation_match=0)
    assert bucket.blob("x").download_as_bytes() == b"first"


def test_a_resumable_create_of_what_exists_is_refused_before_a_byte_is_sent(bucket: Bucket) -> None:
    bucket.blob("x").upload_from_string(b"first")
    with pytest.raises(InvalidResponse) as refused, bucket.blob("x").open("wb", if_generation_match=0) as file:
        file.write(b"second")
    assert refused.value.response.status_code == 412
    assert refused.value.response.request.method == "POST"


def test_a_resumable_create_that_was_overtaken_is_refused_at_its_close(bucket: Bucket) -> None:
    slow = bucket.blob("x").open("wb", chunk_size=CHUNK, if_generation_match=0)
    slow.write(b"slow" * CHUNK)
    bucket.blob("x").upload_from_string(b"fast", if_generation_match=0)
    with pytest.raises(InvalidResponse) as refused:
        slow.close()
    assert refused.value.response.status_code == 412
    assert refused.value.response.request.method == "PUT"
    assert bucket.blob("x").download_as_bytes() == b"fast"


def test_of_many_creates_at_once_exactly_one_wins(bucket: Bucket) -> None:
    def create(number: int) -> int | None:
        try:
            bucket.blob("x").upload_from_string(b"%d" % number, if_generation_match=0)
        except exceptions.PreconditionFailed:
            return None
        return number

    with ThreadPoolExecutor(8) as pool:
        winners = [number for number in pool.map(create, range(24)) if number is not None]
    assert len(winners) == 1
    assert bucket.blob("x").download_as_bytes() == b"%d" % winners[0]


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"if_generation_match": 0}, False),
        ({"if_generation_match": "current"}, True),
        ({"if_generation_not_match": "current"}, False),
        ({"if_generation_not_match": 0}, True),
        ({"if_metageneration_match": 1}, True),
        ({"if_metageneration_match": 2}, False),
        ({"if_metageneration_not_match": 1}, False),
    ],
)
def test_every_precondition_is_enforced_on_overwrite_and_delete(
    bucket: Bucket, condition: dict[str, Any], holds: bool
) -> None:
    blob = bucket.blob("x")
    blob.upload_from_string(b"first")
    given = {name: blob.generation if value == "current" else value for name, value in condition.items()}
    if holds:
        bucket.blob("x").upload_from_string(b"second", **given)
        assert bucket.blob("x").download_as_bytes() == b"second"
        return
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("x").upload_from_string(b"second", **given)
    with pytest.raises(exceptions.PreconditionFailed):
        blob.delete(**given)
    assert bucket.blob("x").download_as_bytes() == b"first"


def test_a_read_with_a_stale_generation_is_refused(bucket: Bucket) -> None:
    blob = bucket.blob("x")
    blob.upload_from_string(b"first")
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("x").download_as_bytes(if_generation_match=blob.generation + 1)
