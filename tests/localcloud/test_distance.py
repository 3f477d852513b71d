"""Services at a distance: each takes as long as it was told to, and lines carry no more than they can."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path

import paramiko
import pytest
from google.cloud.secretmanager_v1.types import SecretPayload
from hypothesis import given
from hypothesis import strategies as st

from localcloud.cloud import PROJECT, ServerProfile, local_cloud
from localcloud.deployment import LocalDeployment
from localcloud.distance import CLOUD, NONE, Distance, Line

MB = 1_000_000
FAR = Distance(
    storage_ms=110,
    bigquery_job_ms=120,
    secretmanager_ms=130,
    pubsub_ms=140,
    partner_ms=100,
    partner_rate=4 * MB,
    egress_rate=5 * MB,
)
SERVICES = ("storage", "bigquery", "secretmanager", "pubsub", "partner")


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalDeployment]:
    with local_cloud(tmp_path_factory.mktemp("far"), profiles=["aws", "openssh"], distance=FAR) as cloud:
        yield LocalDeployment(cloud).create()


def seconds(action: Callable[[], object]) -> float:
    """How long the second call takes: the first one connects."""
    action()
    began = time.monotonic()
    action()
    return time.monotonic() - began


def test_what_is_near_has_no_options_and_what_is_far_has_all() -> None:
    assert [NONE.options(service) for service in SERVICES] == [()] * len(SERVICES)
    assert sum(len(CLOUD.options(service)) for service in SERVICES) == 2 * len(fields(Distance))


@given(st.lists(st.integers(1, 10**6), min_size=1), st.floats(1, 10**6))
def test_a_line_carries_its_rate_and_no_more(sizes: list[int], rate: float) -> None:
    line = Line(rate)
    ends = [line.due(size, now=0.0) for size in sizes]
    assert ends == sorted(ends)
    assert ends[-1] == pytest.approx(sum(sizes) / rate)


def test_a_line_that_was_idle_has_saved_nothing_up() -> None:
    line = Line(10)
    assert line.due(10, now=0.0) == 1.0
    assert line.due(10, now=100.0) == 101.0


def test_a_line_without_a_limit_takes_no_time() -> None:
    assert Line(0).due(10**12, now=5.0) == 5.0


def test_every_request_takes_as_much_longer_as_its_service_is_far(deployment: LocalDeployment) -> None:
    cloud = deployment.cloud
    cloud.add_secret("far", b"value")
    secret = f"projects/{PROJECT}/secrets/far"
    bucket = cloud.storage.bucket(deployment.archive_bucket)
    assert seconds(lambda: bucket.blob("absent").exists()) >= FAR.storage_ms / 1000
    assert seconds(lambda: deployment.tables.sql("SELECT 1")) >= FAR.bigquery_job_ms / 1000
    assert (
        seconds(lambda: cloud.secrets.add_secret_version(parent=secret, payload=SecretPayload(data=b"value")))
        >= FAR.secretmanager_ms / 1000
    )
    assert seconds(lambda: deployment.publish(b"{}")) >= FAR.pubsub_ms / 1000


def test_uploads_share_the_line_to_the_store_and_downloads_too(deployment: LocalDeployment) -> None:
    bucket = deployment.cloud.storage.bucket(deployment.archive_bucket)
    names = ("one", "two")
    with ThreadPoolExecutor(len(names)) as threads:
        began = time.monotonic()
        list(threads.map(lambda name: bucket.blob(name).upload_from_string(bytes(MB)), names))
        uploaded = time.monotonic()
        list(threads.map(lambda name: bucket.blob(name).download_as_bytes(), names))
        downloaded = time.monotonic()
    assert uploaded - began >= 2 * MB / FAR.egress_rate
    assert downloaded - uploaded >= 2 * MB / FAR.egress_rate


@pytest.mark.parametrize("profile", ["aws", "openssh"])
def test_a_file_takes_the_time_of_the_partners_line(deployment: LocalDeployment, profile: ServerProfile) -> None:
    cloud, ready = deployment.cloud, deployment.cloud.services[profile].ready
    with paramiko.Transport((ready["host"], ready["port"])) as transport:
        login = paramiko.Ed25519Key.from_private_key(io.StringIO(cloud.login_key.private.decode()))
        transport.connect(username=ready["user"], pkey=login)
        client = paramiko.SFTPClient.from_transport(transport)
        assert client is not None
        began = time.monotonic()
        client.putfo(io.BytesIO(bytes(2 * MB)), "far.bin", confirm=False)
        assert time.monotonic() - began >= 2 * MB / FAR.partner_rate
    assert Path(ready["root"], "far.bin").stat().st_size == 2 * MB
