"""The service itself: restarts, refusals, its end."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud.storage import Bucket, Client

from localcloud.storage.bare import began, put
from localcloud.storage.process import ROOT, Running, running
from tests.localcloud.storage.conftest import client_of


def test_everything_but_unfinished_uploads_survives_a_restart(tmp_path: Path) -> None:
    with running("localcloud.storage", "--root", str(tmp_path)) as first:
        bucket = client_of(first.ready["url"]).create_bucket("kept")
        bucket.versioning_enabled = True
        bucket.patch()
        for content in (b"1", b"2"):
            bucket.blob("a/x").upload_from_string(content)
        bucket.blob("a/y").upload_from_string(b"gone")
        bucket.blob("a/y").delete()
        before = [one._properties for one in bucket.list_blobs(versions=True)]
        session = began(first.ready["url"], bucket, "unfinished").removeprefix(first.ready["url"])
    with running("localcloud.storage", "--root", str(tmp_path)) as second:
        bucket = client_of(second.ready["url"]).get_bucket("kept")
        after = [one._properties for one in bucket.list_blobs(versions=True)]
        without_links = [{key: one[key] for key in one if not key.endswith("Link")} for one in after]
        assert without_links == [{key: one[key] for key in one if not key.endswith("Link")} for one in before]
        assert bucket.blob("a/x").download_as_bytes() == b"2"
        assert put(second.ready["url"] + session, b"a", "bytes 0-0/1").status_code == 404
        assert bucket.blob("a/x").generation is None
        bucket.blob("a/x").upload_from_string(b"3", if_generation_match=int(before[1]["generation"]))


@pytest.mark.parametrize(
    "call",
    [
        lambda bucket: bucket.get_iam_policy(),
        lambda bucket: bucket.notification(topic_name="t").create(),
        lambda bucket: list(bucket.list_blobs(soft_deleted=True)),
        lambda bucket: bucket.blob("x").upload_from_string(b"1", predefined_acl="private"),
    ],
)
def test_what_is_not_known_is_refused_loudly(bucket: Bucket, call: Any) -> None:
    with pytest.raises(exceptions.MethodNotImplemented):
        call(bucket)


def test_what_is_not_there_is_not_found(client: Client, bucket: Bucket) -> None:
    for call in (
        lambda: bucket.blob("x").download_as_bytes(),
        lambda: bucket.blob("x").delete(),
        lambda: client.bucket("nowhere").blob("x").upload_from_string(b"1"),
        lambda: list(client.list_blobs("nowhere")),
    ):
        with pytest.raises(exceptions.NotFound):
            call()


def test_a_service_that_cannot_start_says_so(service: Running) -> None:
    taken = service.ready["url"].rpartition(":")[2]
    with (
        pytest.raises(RuntimeError, match="ended before it was ready"),
        running("localcloud.storage", "--port", taken),
    ):
        raise AssertionError("two services on one port")


def _told(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)


def _left_alone(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()


@pytest.mark.parametrize("end", [_told, _left_alone])
def test_the_service_ends_when_asked_and_when_its_parent_goes(end: Callable[[subprocess.Popen[bytes]], None]) -> None:
    command = [sys.executable, "-m", "localcloud.storage", "--exit-with-parent"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        end(process)
        assert process.wait(10) == 0
