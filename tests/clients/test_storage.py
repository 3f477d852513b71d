"""Objects are created once; a stream that breaks off leaves none; what is read is what was written."""

import base64
import gc
import hashlib
import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import islice

import google_crc32c
import pytest

from pipeline.clients import storage
from pipeline.clients.storage import Bucket
from pipeline.errors import ArchiveDamaged, ArchiveUnavailable, OutOfTime
from tests.deployment import InProcessDeployment

CONTENT = os.urandom(2 * storage.PIECE + 12_345)


@pytest.fixture
def bucket(deployment: InProcessDeployment) -> Bucket:
    return within(deployment, 60)


def within(deployment: InProcessDeployment, seconds: float, name: str = "archive") -> Bucket:
    """The deployment's bucket for so long."""
    return deployment.within(seconds).bucket(f"{deployment.name}-{name}")


def chunks(size: int = 1_000_000) -> Iterator[bytes]:
    """The content as a stream."""
    for start in range(0, len(CONTENT), size):
        yield CONTENT[start : start + size]


def crc32c(content: bytes) -> str:
    """As Cloud Storage writes it."""
    return base64.b64encode(google_crc32c.Checksum(content).digest()).decode()


# Small objects


def struck(deployment: InProcessDeployment, method: str, match: str, action: str, **more: int) -> None:
    """Order a fault for requests of one method."""
    deployment.cloud.break_storage(f"{method} .*{deployment.name}.*{match}", action, **more)


def test_the_first_to_create_wins_and_its_content_stays(bucket: Bucket) -> None:
    assert bucket.create("a.json", b"first")
    assert not bucket.create("a.json", b"second")
    assert bucket.read("a.json") == b"first"


def test_a_lost_answer_to_a_create_is_found_to_be_a_success(deployment: InProcessDeployment, bucket: Bucket) -> None:
    struck(deployment, "POST", "/o", "lose")
    assert bucket.create("a.json", b"ours")
    assert bucket.read("a.json") == b"ours"
    assert not bucket.create("a.json", b"theirs")


@pytest.mark.parametrize("action", ["error", "drop"])
def test_a_request_that_fails_once_is_repeated(deployment: InProcessDeployment, bucket: Bucket, action: str) -> None:
    deployment.break_storage("/o", action)
    assert bucket.create("a.json", b"ours")
    deployment.break_storage("alt=media", action)
    assert bucket.read("a.json") == b"ours"


def test_what_is_not_there_reads_as_none(bucket: Bucket) -> None:
    assert bucket.read("none.json") is None
    assert bucket.stat("none.json") is None
    assert bucket.names("none") == []
    assert bucket.listed("none") == {}


def test_names_are_listed_in_order_under_their_prefix(bucket: Bucket) -> None:
    for name in ("b/2", "a/1", "b/1", "c"):
        bucket.create(name, b"x")
    assert bucket.names("b/") == ["b/1", "b/2"]
    assert list(bucket.listed("")) == ["a/1", "b/1", "b/2", "c"]
    assert bucket.listed("c")["c"] == bucket.stat("c")


def test_the_permission_to_create_is_tried_without_leaving_an_object(bucket: Bucket) -> None:
    bucket.may_create("probe")
    assert bucket.names("") == []


# Streams


def test_a_stream_passes_on_unchanged_and_is_stored_whole(bucket: Bucket) -> None:
    copy = bucket.copy("a.csv")
    assert b"".join(copy.passing(chunks())) == CONTENT
    stored = copy.finished()
    assert (stored.size, stored.crc32c) == (len(CONTENT), crc32c(CONTENT))
    assert stored.is_still(bucket.stat("a.csv"))
    assert stored.sha256 == hashlib.sha256(CONTENT).hexdigest()


def test_an_object_is_there_when_its_stream_has_ended_and_not_before(bucket: Bucket) -> None:
    copy = bucket.copy("a.csv")
    seen = [bucket.stat("a.csv") for _ in copy.passing(chunks())]
    assert set(seen) == {None}
    copy.finished()
    assert bucket.stat("a.csv") is not None


@pytest.mark.parametrize("size", [0, 1, storage.PIECE, storage.PIECE + 1])
def test_any_size_is_stored(bucket: Bucket, size: int) -> None:
    assert bucket.write("a.pgp", [CONTENT[:size]]).crc32c == crc32c(CONTENT[:size])


def test_a_stream_goes_on_while_the_store_takes_its_time_over_a_request(
    deployment: InProcessDeployment, bucket: Bucket
) -> None:
    deployment.break_storage("upload_id", "hang")
    copy = bucket.copy("a.csv")
    stream = copy.passing(chunks())
    assert b"".join(next(stream) for _ in range(16)) == CONTENT[:16_000_000]  # the next one fills a second request
    assert bucket.stat("a.csv") is None
    deployment.cloud.end_faults()
    assert b"".join(stream) == CONTENT[16_000_000:]
    stored = copy.finished()
    assert stored.is_still(bucket.stat("a.csv"))
    assert stored.sha256 == hashlib.sha256(CONTENT).hexdigest()


class Broken(Exception):
    """The source's own."""


@pytest.mark.parametrize("after", [0, 1, 30], ids=["before the first chunk", "after one", "after many"])
def test_a_source_that_fails_leaves_no_object(bucket: Bucket, after: int) -> None:
    def dying() -> Iterator[bytes]:
        for _ in range(after):
            yield CONTENT[:1_000_000]
        raise Broken

    with pytest.raises(Broken):
        bucket.write("a.csv", dying())
    gc.collect()
    assert bucket.names("") == []


def test_a_stream_that_is_not_wanted_to_its_end_leaves_no_object(bucket: Bucket) -> None:
    stream = bucket.copy("a.csv").passing(chunks())
    assert sum(1 for _ in islice(stream, 12)) == 12
    del stream
    gc.collect()
    assert bucket.names("") == []


def test_a_name_that_is_taken_is_not_written_to(bucket: Bucket) -> None:
    before = bucket.write("a.csv", [b"first"])
    with pytest.raises(ArchiveUnavailable, match=r"/a\.csv should hold 6 bytes .*answered 412"):
        bucket.write("a.csv", [b"second"])
    assert before.is_still(bucket.stat("a.csv"))


def test_a_name_that_was_taken_meanwhile_is_not_written_to(bucket: Bucket) -> None:
    def slow() -> Iterator[bytes]:
        yield b"ours"
        bucket.create("a.csv", b"theirs")

    with pytest.raises(ArchiveUnavailable, match="412"):
        bucket.write("a.csv", slow())
    assert bucket.read("a.csv") == b"theirs"


@pytest.mark.parametrize("action", ["error", "drop", "lose"])
def test_an_upload_goes_on_where_a_request_of_it_fails(
    deployment: InProcessDeployment, bucket: Bucket, action: str
) -> None:
    deployment.break_storage("upload_id", action, skip=1)
    assert bucket.write("a.csv", chunks()).crc32c == crc32c(CONTENT)


def test_recorded_bytes_come_back_in_pieces(bucket: Bucket) -> None:
    stored = bucket.write("a.pgp", chunks())
    pieces = list(bucket.pieces(stored, 5_000_000))
    assert b"".join(pieces) == CONTENT
    assert {len(piece) for piece in pieces[:-1]} == {5_000_000}


def test_pieces_are_asked_for_together_and_come_in_order(deployment: InProcessDeployment, bucket: Bucket) -> None:
    stored = bucket.write("a.pgp", chunks())
    deployment.break_storage("alt=media", "hang")  # the first to be asked for is the last to come
    pieces = bucket.pieces(stored, 1_000_000)
    ending = threading.Timer(0.5, deployment.cloud.end_faults)
    ending.start()
    assert b"".join(pieces) == CONTENT
    ending.join()


def test_a_reader_who_leaves_early_leaves_no_thread(bucket: Bucket) -> None:
    stored, before = bucket.write("a.pgp", chunks()), threading.active_count()
    pieces = bucket.pieces(stored, 1_000_000)
    assert next(pieces) == CONTENT[:1_000_000]
    pieces.close()  # it is a generator
    assert threading.active_count() == before


def test_an_empty_object_has_no_pieces(bucket: Bucket) -> None:
    assert list(bucket.pieces(bucket.write("a.pgp", []), 10)) == []


def test_just_the_generation_that_was_recorded_is_read(deployment: InProcessDeployment, bucket: Bucket) -> None:
    stored = bucket.write("a.pgp", [b"ours"])
    blob = deployment.cloud.storage.bucket(bucket.name).blob("a.pgp")
    blob.delete()
    blob.upload_from_string(b"fake")
    with pytest.raises(ArchiveDamaged, match=f"generation {stored.generation}, 4 bytes, is what the record names"):
        list(bucket.pieces(stored, 10))


def test_an_object_that_is_shorter_than_recorded_is_damaged(bucket: Bucket) -> None:
    stored = bucket.write("a.pgp", [b"12345"])
    with pytest.raises(ArchiveDamaged):
        list(bucket.pieces(replace(stored, size=100), 10))


# What goes wrong


def test_a_refusal_says_which_roles_are_needed(deployment: InProcessDeployment, bucket: Bucket) -> None:
    deployment.break_storage("/o", "error", status=403)
    with pytest.raises(ArchiveUnavailable, match=r"refuses access to .*objectCreator and objectViewer"):
        bucket.stat("a.csv")


def test_a_bucket_that_is_not_there_is_named(deployment: InProcessDeployment) -> None:
    missing = within(deployment, 30, "missing")
    for call in (
        lambda: missing.create("a", b"x"),
        lambda: missing.read("a"),
        lambda: missing.names(""),
        lambda: missing.write("a", [b"x"]),
    ):
        with pytest.raises(ArchiveUnavailable, match=f"{deployment.name}-missing"):
            call()


def test_a_service_that_stays_away_is_given_up_within_the_budget(deployment: InProcessDeployment) -> None:
    deployment.break_storage("/o", "error", times=1000)
    began = time.monotonic()
    with pytest.raises((ArchiveUnavailable, OutOfTime)):
        within(deployment, 2).stat("a.csv")
    assert time.monotonic() - began < 30  # far below a call's own limit


def test_a_service_that_hangs_is_given_up_within_the_budget_and_leaves_no_object(
    deployment: InProcessDeployment,
) -> None:
    deployment.break_storage("upload_id", "hang", times=1000)
    began = time.monotonic()
    with pytest.raises((ArchiveUnavailable, OutOfTime)):
        within(deployment, 2).write("a.csv", chunks())
    assert time.monotonic() - began < 30  # far below a call's own limit
    deployment.cloud.end_faults()
    assert within(deployment, 30).names("") == []


def test_nothing_is_asked_when_the_time_is_over(deployment: InProcessDeployment) -> None:
    with pytest.raises(OutOfTime):
        within(deployment, -1).create("a.json", b"x")
    assert within(deployment, 30).names("") == []


@pytest.mark.parametrize("action", ["empty", "no-body"])
@pytest.mark.parametrize("request_", ["POST /o", "PUT upload_id", "GET /o"])
def test_an_empty_answer_is_no_answer(
    deployment: InProcessDeployment, bucket: Bucket, action: str, request_: str
) -> None:
    method, match = request_.split()
    struck(deployment, method, match, action, times=3)
    for ask in (
        lambda: bucket.create("a.json", b"{}"),
        lambda: bucket.write("a.csv", chunks()),
        lambda: bucket.names(""),
        lambda: bucket.stat("a.csv"),
        lambda: bucket.listed(""),
    ):
        with suppress(ArchiveUnavailable):
            ask()


@pytest.mark.parametrize("action", ["lose", "empty", "drop", "error"])
def test_a_small_object_is_stored_whole_whatever_became_of_the_answer(
    deployment: InProcessDeployment, bucket: Bucket, action: str
) -> None:
    struck(deployment, "POST", "/o", action)
    assert bucket.write("a.csv", [b"by", b"tes"]).is_still(bucket.stat("a.csv"))
    assert bucket.read("a.csv") == b"bytes"


def test_a_create_that_is_forbidden_where_the_object_exists_is_a_loss(
    deployment: InProcessDeployment, bucket: Bucket
) -> None:
    assert bucket.create("a.json", b"theirs")
    stored = bucket.write("a.csv", [b"bytes"])
    struck(deployment, "POST", "/o", "error", status=403, times=3)
    assert not bucket.create("a.json", b"ours")
    assert bucket.create("a.json", b"theirs")
    assert bucket.write("a.csv", [b"bytes"]) == stored


@pytest.mark.parametrize("times", [1, 2, 5])
@pytest.mark.parametrize("skip", [0, 1, 2])
def test_an_upload_goes_on_where_only_a_part_of_a_chunk_was_kept(
    deployment: InProcessDeployment, bucket: Bucket, skip: int, times: int
) -> None:
    struck(deployment, "PUT", "upload_id", "partial", skip=skip, times=times)
    assert bucket.write("a.csv", chunks()).crc32c == crc32c(CONTENT)


@pytest.mark.parametrize("skip", [0, 1, 2])
def test_an_upload_goes_on_where_the_answer_to_a_chunk_is_empty(
    deployment: InProcessDeployment, bucket: Bucket, skip: int
) -> None:
    struck(deployment, "PUT", "upload_id", "empty", skip=skip)
    assert bucket.write("a.csv", chunks()).crc32c == crc32c(CONTENT)


def test_the_start_of_an_upload_may_be_lost(deployment: InProcessDeployment, bucket: Bucket) -> None:
    struck(deployment, "POST", "uploadType=resumable", "lose")
    assert bucket.write("a.csv", chunks()).crc32c == crc32c(CONTENT)


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_an_upload_that_was_broken_off_is_never_completed(deployment: InProcessDeployment, bucket: Bucket) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x" * 100
        raise RuntimeError("the source failed")

    with pytest.raises(RuntimeError):
        bucket.write("a.csv", broken())
    struck(deployment, "PUT", "upload_id", "error", status=403)
    with pytest.raises(ArchiveUnavailable):
        bucket.write("b.csv", chunks())
    gc.collect()
    assert bucket.names("") == []


@pytest.mark.parametrize("action", ["flip", "no-body", "error"])
def test_a_single_bad_read_of_a_piece_is_no_damage(
    deployment: InProcessDeployment, bucket: Bucket, action: str
) -> None:
    stored = bucket.write("a.csv", chunks())
    digests = [
        hashlib.sha256(CONTENT[start : start + storage.PIECE]).hexdigest()
        for start in range(0, len(CONTENT), storage.PIECE)
    ]
    struck(deployment, "GET", "alt=media", action, skip=1, status=404)
    assert b"".join(bucket.pieces(stored, storage.PIECE, digests)) == CONTENT
    struck(deployment, "GET", "alt=media", action, times=100, status=404)
    with pytest.raises(ArchiveDamaged):
        list(bucket.pieces(stored, storage.PIECE, digests))
