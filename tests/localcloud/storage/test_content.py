"""Checksums, ranges, names; changing, copying and joining."""

import base64
import hashlib

import google_crc32c
import pytest
import requests
from google.api_core import exceptions
from google.cloud.storage import Bucket, Client

from localcloud.storage.bare import began, put

CHUNK = 256 << 10


def crc32c(data: bytes) -> str:
    return base64.b64encode(google_crc32c.Checksum(data).digest()).decode()


def test_the_checksums_of_small_and_large_objects_are_right(bucket: Bucket) -> None:
    small, large = b"small", bytes(range(256)) * (9 << 12)
    bucket.blob("small").upload_from_string(small)
    with bucket.blob("large").open("wb") as file:
        file.write(large)
    assert (bucket.get_blob("small").crc32c, bucket.get_blob("large").crc32c) == (crc32c(small), crc32c(large))
    assert bucket.get_blob("small").md5_hash == base64.b64encode(hashlib.md5(small).digest()).decode()
    assert bucket.get_blob("large").md5_hash is None


@pytest.mark.parametrize("field", ["crc32c", "md5_hash"])
def test_a_simple_upload_with_a_wrong_checksum_is_refused(bucket: Bucket, field: str) -> None:
    blob = bucket.blob("x")
    setattr(blob, field, "AAAAAA==" if field == "crc32c" else "AAAAAAAAAAAAAAAAAAAAAA==")
    with pytest.raises(exceptions.BadRequest):
        blob.upload_from_string(b"abc", checksum=None)
    assert not bucket.blob("x").exists()


@pytest.mark.parametrize("wrong", ["crc32c=AAAAAA==", "md5=AAAAAAAAAAAAAAAAAAAAAA=="])
def test_a_resumable_upload_with_a_wrong_checksum_at_its_end_is_refused(url: str, bucket: Bucket, wrong: str) -> None:
    session = began(url, bucket, "x")
    assert put(session, b"abc", "bytes 0-2/3", **{"X-Goog-Hash": wrong}).status_code == 400
    assert not bucket.blob("x").exists()


def test_ranges_are_cut_as_asked(url: str, bucket: Bucket) -> None:
    bucket.blob("x").upload_from_string(b"0123456789")
    link = f"{url}/storage/v1/b/{bucket.name}/o/x?alt=media"

    def ranged(text: str) -> tuple[int, bytes]:
        answer = requests.get(link, headers={"Range": text}, timeout=5)
        return answer.status_code, answer.content

    assert ranged("bytes=2-5") == (206, b"2345")
    assert ranged("bytes=7-") == (206, b"789")
    assert ranged("bytes=-3") == (206, b"789")
    assert ranged("bytes=8-99") == (206, b"89")
    assert ranged("bytes=nonsense") == (200, b"0123456789")
    assert ranged("bytes=10-")[0] == 416


def test_an_object_opened_for_reading_can_be_read_in_any_order(bucket: Bucket) -> None:
    data = bytes(range(256)) * 4096
    bucket.blob("x").upload_from_string(data)
    with bucket.blob("x").open("rb", chunk_size=CHUNK) as file:
        file.seek(500_000)
        assert file.read(10) == data[500_000:500_010]
        file.seek(0)
        assert file.read() == data
    bucket.blob("empty").upload_from_string(b"")
    with bucket.blob("empty").open("rb") as file:
        assert file.read() == b""


@pytest.mark.parametrize("name", ["a b/ü%2F+#?&=.csv", "x" * 1000, "a/../b", "./.hidden", "//", "日本"])
def test_any_name_comes_back_as_it_was_given(bucket: Bucket, name: str) -> None:
    bucket.blob(name).upload_from_string(b"1")
    assert bucket.blob(name).download_as_bytes() == b"1"
    assert [one.name for one in bucket.list_blobs()] == [name]


@pytest.mark.parametrize("name", ["line\nbreak", "line\rbreak", ".", "..", "é" * 513])
def test_a_name_that_no_object_may_have_is_refused(bucket: Bucket, name: str) -> None:
    with pytest.raises(exceptions.BadRequest):
        bucket.blob(name).upload_from_string(b"1")
    assert list(bucket.list_blobs()) == []


def test_settings_given_at_upload_are_kept_and_a_patch_merges(bucket: Bucket) -> None:
    blob = bucket.blob("x")
    blob.metadata, blob.cache_control = {"a": "1", "b": "2"}, "no-store"
    with blob.open("wb", content_type="text/csv") as file:
        file.write(b"z")
    blob.reload()
    assert (blob.metadata, blob.cache_control, blob.content_type) == ({"a": "1", "b": "2"}, "no-store", "text/csv")
    blob.metadata = {"a": None, "c": "3"}
    blob.patch(if_metageneration_match=1)
    assert bucket.get_blob("x").metadata == {"b": "2", "c": "3"}
    assert blob.metageneration == 2
    with pytest.raises(exceptions.PreconditionFailed):
        blob.patch(if_metageneration_match=1)


def test_compose_joins_in_order_and_obeys_preconditions(bucket: Bucket) -> None:
    for name in "ab":
        bucket.blob(name).upload_from_string(name.encode())
    joined = bucket.blob("ba")
    joined.compose([bucket.blob("b"), bucket.blob("a")], if_generation_match=0)
    assert joined.download_as_bytes() == b"ba"
    assert (joined.component_count, joined.crc32c, joined.md5_hash) == (2, crc32c(b"ba"), None)
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("ba").compose([bucket.blob("a")], if_generation_match=0)
    with pytest.raises(exceptions.NotFound):
        bucket.blob("c").compose([bucket.blob("missing")])


def test_a_rewrite_keeps_content_and_settings_and_obeys_both_sides_preconditions(bucket: Bucket) -> None:
    source = bucket.blob("x")
    source.metadata = {"a": "1"}
    source.upload_from_string(b"content", content_type="text/csv")
    copied = bucket.blob("y")
    copied.rewrite(source, if_generation_match=0, if_source_generation_match=source.generation)
    copied.reload()
    assert (copied.download_as_bytes(), copied.metadata, copied.content_type) == (b"content", {"a": "1"}, "text/csv")
    for conditions in ({"if_generation_match": 0}, {"if_source_generation_match": source.generation + 1}):
        with pytest.raises(exceptions.PreconditionFailed):
            bucket.blob("y").rewrite(source, **conditions)


def test_a_batch_does_what_it_can(client: Client, bucket: Bucket) -> None:
    for name in "xz":
        bucket.blob(name).upload_from_string(b"1")
    with pytest.raises(exceptions.NotFound), client.batch():
        bucket.delete_blobs("xyz")
    assert list(bucket.list_blobs()) == []
