"""Failures on demand."""

import threading

import pytest
import requests
from google.api_core import exceptions
from google.cloud.storage import Bucket
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse

from localcloud.storage.bare import install


def test_an_error_strikes_after_the_skipped_and_as_often_as_said(bucket: Bucket, faults: str) -> None:
    bucket.blob("x").upload_from_string(b"1")
    install(faults, match="GET .*/o/x", skip=1, times=2, action="error", status=503)

    def status() -> int:
        try:
            bucket.blob("x").download_as_bytes(retry=None)
        except exceptions.ServiceUnavailable:
            return 503
        return 200

    assert [status() for _ in range(4)] == [200, 503, 503, 200]


def test_an_upload_is_chosen_by_the_name_that_its_body_tells(bucket: Bucket, faults: str) -> None:
    install(faults, match=r"POST .*/o.*/plan[^/]*\.json$", action="error", status=403)
    bucket.blob("contracts/plan/1.json").upload_from_string(b"1")
    with pytest.raises(exceptions.Forbidden):
        bucket.blob("deliveries/plan.json").upload_from_string(b"1")
    bucket.blob("deliveries/plan.json").upload_from_string(b"x" * 3_000_000)
    assert bucket.blob("deliveries/plan.json").download_as_bytes() == b"x" * 3_000_000


def test_a_dropped_request_does_nothing_and_a_lost_answer_does_all(bucket: Bucket, faults: str) -> None:
    install(faults, match="POST .*/o", action="drop")
    with pytest.raises((requests.ConnectionError, exceptions.RetryError)):
        bucket.blob("x").upload_from_string(b"1", retry=None)
    assert not bucket.blob("x").exists()
    install(faults, match="POST .*/o", action="lose")
    with pytest.raises((requests.ConnectionError, exceptions.RetryError)):
        bucket.blob("x").upload_from_string(b"1", retry=None)
    assert bucket.blob("x").download_as_bytes() == b"1"


def test_a_flipped_bit_is_noticed_by_the_client(bucket: Bucket, faults: str) -> None:
    bucket.blob("x").upload_from_string(b"content")
    install(faults, match="GET .*alt=media", action="flip")
    with pytest.raises(DataCorruption):
        bucket.blob("x").download_as_bytes(retry=None)
    assert bucket.blob("x").download_as_bytes() == b"content"


def test_a_truncated_answer_ends_early(url: str, bucket: Bucket, faults: str) -> None:
    bucket.blob("x").upload_from_string(b"0123456789")
    install(faults, match="GET .*alt=media", action="truncate")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        requests.get(f"{url}/storage/v1/b/{bucket.name}/o/x?alt=media", timeout=5)


def test_a_hanging_request_waits_until_the_faults_are_taken_away(url: str, bucket: Bucket, faults: str) -> None:
    install(faults, match=f"GET .*/b/{bucket.name}", action="hang")
    with pytest.raises(requests.ReadTimeout):
        requests.get(f"{url}/storage/v1/b/{bucket.name}", timeout=0.2)
    install(faults, match=f"GET .*/b/{bucket.name}", action="hang")
    ended = threading.Event()

    def ask() -> None:
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{url}/storage/v1/b/{bucket.name}", timeout=20)
        ended.set()

    asking = threading.Thread(target=ask)
    asking.start()
    while requests.get(faults, timeout=5).json()[1]["struck"] == 0:
        assert asking.is_alive()
    assert not ended.is_set()
    requests.delete(faults, timeout=5)
    asking.join(10)
    assert ended.is_set()


def test_a_chunk_is_struck_by_the_name_of_its_object(bucket: Bucket, faults: str) -> None:
    install(faults, match=r"PUT .*name=folder%2Fstruck\.csv&", action="error", status=403)
    with bucket.blob("folder/other.csv").open("wb") as file:
        file.write(b"1")
    with pytest.raises(InvalidResponse), bucket.blob("folder/struck.csv").open("wb") as file:
        file.write(b"1")
    assert [blob.name for blob in bucket.list_blobs()] == ["folder/other.csv"]


def test_a_fault_that_says_nothing_sensible_is_refused(faults: str) -> None:
    assert requests.post(faults, json={"match": ".", "action": "explode"}, timeout=5).status_code == 400
