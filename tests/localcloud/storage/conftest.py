"""A running service, its client, and a bucket of its own for every test."""

import uuid
from collections.abc import Iterator

import pytest
import requests
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Bucket, Client

from localcloud.storage.process import Running, running


def client_of(url: str) -> Client:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("STORAGE_EMULATOR_HOST", url)
        return Client(project="local", credentials=AnonymousCredentials())


@pytest.fixture(scope="package")
def service() -> Iterator[Running]:
    with running("localcloud.storage") as started:
        yield started


@pytest.fixture(scope="package")
def url(service: Running) -> str:
    return service.ready["url"]


@pytest.fixture(scope="package")
def client(url: str) -> Client:
    return client_of(url)


@pytest.fixture
def bucket(client: Client) -> Bucket:
    return client.create_bucket(f"bucket-{uuid.uuid4().hex}")


@pytest.fixture
def faults(url: str) -> Iterator[str]:
    yield f"{url}/_faults"
    requests.delete(f"{url}/_faults", timeout=5)
