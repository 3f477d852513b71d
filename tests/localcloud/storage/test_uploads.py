"""Resumable uploads: invisible until they end, and whole afterwards."""

import io
import socket

import psutil
import pytest
import requests
from google.cloud.storage import Bucket
from google.cloud.storage.retry import DEFAULT_RETRY

from localcloud.storage.bare import began, install, put
from localcloud.storage.process import Running

CHUNK = 256 << 10
QUICK = DEFAULT_RETRY.with_delay(initial=0.01, maximum=0.05).with_timeout(20)


def test_an_unfinished_upload_is_invisible_and_appears_whole(bucket: Bucket) -> None:
    with bucket.blob("x").open("wb", chunk_size=CHUNK) as file:
        file.write(b"a" * (3 * CHUNK))
        assert not bucket.blob("x").exists()
        assert list(bucket.list_blobs()) == []
    assert bucket.get_blob("x").size == 3 * CHUNK


def test_a_writer_that_was_left_by_an_exception_leaves_no_object(bucket: Bucket) -> None:
    with pytest.raises(ZeroDivisionError), bucket.blob("x").open("wb", chunk_size=CHUNK) as file:  # noqa: PT012
        file.write(b"a" * (2 * CHUNK))
        raise ZeroDivisionError
    assert not bucket.blob("x").exists()


def test_asking_how_far_an_upload_got_never_ends_it(url: str, bucket: Bucket) -> None:
    session = began(url, bucket, "x")
    assert put(session, b"a" * CHUNK, f"bytes 0-{CHUNK - 1}/{2 * CHUNK}").status_code == 308
    for question in ("bytes */*", f"bytes */{2 * CHUNK}"):
        asked = put(session, b"", question)
        assert (asked.status_code, asked.headers["Range"]) == (308, f"bytes=0-{CHUNK - 1}")
    assert not bucket.blob("x").exists()


def test_a_chunk_whose_answer_was_lost_is_stored_once(bucket: Bucket, faults: str) -> None:
    data = bytes(range(256)) * (4 * CHUNK // 256) + b"end"
    install(faults, match="PUT .*upload_id=", skip=1, times=1, action="lose")
    with bucket.blob("x").open("wb", chunk_size=CHUNK, retry=QUICK) as file:
        file.write(data)
    assert bucket.blob("x").download_as_bytes() == data
    assert requests.get(faults, timeout=5).json()[0]["struck"] == 1


def test_an_upload_whose_last_answer_was_lost_is_there_and_says_so_again(bucket: Bucket, faults: str, url: str) -> None:
    session = began(url, bucket, "x")
    install(faults, match="PUT .*upload_id=", action="lose")
    with pytest.raises(requests.ConnectionError):
        put(session, b"whole", "bytes 0-4/5")
    assert bucket.blob("x").download_as_bytes() == b"whole"
    again = put(session, b"", "bytes */5")
    assert (again.status_code, again.json()["size"]) == (200, "5")


def test_an_upload_that_broke_inside_a_chunk_goes_on_from_there(url: str, bucket: Bucket) -> None:
    session = began(url, bucket, "x")
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as wire:
        path = session.removeprefix(url)
        head = f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\nContent-Range: bytes 0-7/8\r\n\r\n"
        wire.sendall(head.encode() + b"abc")
    asked = put(session, b"", "bytes */8")
    received = int(asked.headers["Range"].rpartition("-")[2]) + 1 if "Range" in asked.headers else 0
    assert received <= 3
    assert put(session, b"abcdefgh"[received:], f"bytes {received}-7/8").status_code == 200
    assert bucket.blob("x").download_as_bytes() == b"abcdefgh"


@pytest.mark.parametrize(
    ("data", "content_range", "status"),
    [
        (b"a" * 5, "bytes 0-4/*", 400),
        (b"a" * 5, "bytes 0-5/6", 400),
        (b"a" * 5, "bytes 5-9/10", 503),
        (b"a" * 5, "bytes 0-4/3", 400),
        (b"a" * 5, "octets 0-4/5", 400),
    ],
)
def test_a_chunk_that_cannot_be_right_is_refused(
    url: str, bucket: Bucket, data: bytes, content_range: str, status: int
) -> None:
    assert put(began(url, bucket, "x"), data, content_range).status_code == status
    assert not bucket.blob("x").exists()


def test_an_upload_that_ends_with_another_size_than_it_declared_is_refused(url: str, bucket: Bucket) -> None:
    session = began(url, bucket, "x", **{"X-Upload-Content-Length": "6"})
    assert put(session, b"a" * 5, "bytes 0-4/5").status_code == 400
    assert not bucket.blob("x").exists()


def test_a_cancelled_upload_cannot_go_on(url: str, bucket: Bucket) -> None:
    session = began(url, bucket, "x")
    assert requests.delete(session, timeout=5).status_code == 499
    assert put(session, b"abc", "bytes 0-2/3").status_code == 404


def test_a_large_upload_needs_no_more_memory_than_a_small_one(service: Running, bucket: Bucket) -> None:
    process = psutil.Process(service.process.pid)
    bucket.blob("warm").upload_from_file(io.BytesIO(bytes(16 << 20)), size=16 << 20)
    before = process.memory_info().rss
    with bucket.blob("x").open("wb", chunk_size=16 << 20) as file:
        for _ in range(8):
            file.write(bytes(16 << 20))
    assert bucket.get_blob("x").size == 128 << 20
    assert process.memory_info().rss - before < 64 << 20  # a half of it
