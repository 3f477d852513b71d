"""The local Secret Manager, asked through the real client."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import google_crc32c
import grpc
import pytest
from google.api_core import exceptions
from google.cloud.secretmanager_v1 import SecretManagerServiceClient, types
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import SecretManagerServiceGrpcTransport

from localcloud.storage.process import running

PROJECT = "projects/local"


@pytest.fixture(scope="module")
def faults_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("secretmanager") / "faults.json"


@pytest.fixture(scope="module")
def client(faults_file: Path) -> Iterator[SecretManagerServiceClient]:
    with running("localcloud.secretmanager", "--faults-file", str(faults_file)) as started:
        channel = grpc.insecure_channel(started.ready["grpc"])
        yield SecretManagerServiceClient(transport=SecretManagerServiceGrpcTransport(channel=channel))


@pytest.fixture
def secret(client: SecretManagerServiceClient) -> str:
    """The name of a new secret without versions."""
    return create(client, f"s{uuid.uuid4().hex}", labels={"a": "b"})


def create(client: SecretManagerServiceClient, name: str, **settings: object) -> str:
    secret = types.Secret({"replication": {"automatic": {}}, **settings})
    return client.create_secret(parent=PROJECT, secret_id=name, secret=secret).name


def add(client: SecretManagerServiceClient, secret: str, *payloads: bytes) -> None:
    for payload in payloads:
        client.add_secret_version(parent=secret, payload=types.SecretPayload(data=payload))


def alias(client: SecretManagerServiceClient, secret: str, name: str, version: int) -> None:
    change = {"secret": {"name": secret, "version_aliases": {name: version}}}
    client.update_secret(request={**change, "update_mask": {"paths": ["version_aliases"]}})


def access(client: SecretManagerServiceClient, secret: str, version: str) -> bytes:
    return client.access_secret_version(name=f"{secret}/versions/{version}").payload.data


def test_a_payload_comes_back_with_its_checksum(client: SecretManagerServiceClient, secret: str) -> None:
    data = b"top\x00\xffsecret"
    payload = types.SecretPayload(data=data, data_crc32c=google_crc32c.value(data))
    added = client.add_secret_version(parent=secret, payload=payload)
    assert added.client_specified_payload_checksum
    answer = client.access_secret_version(name=f"{secret}/versions/latest")
    assert (answer.name, answer.payload.data) == (f"{secret}/versions/1", data)
    assert answer.payload.data_crc32c == google_crc32c.value(data)


@pytest.mark.parametrize("payload", [{"data": b"x", "data_crc32c": 1}, {"data": b""}, {"data": bytes(65_537)}])
def test_a_payload_that_is_wrong_empty_or_too_large_is_refused(
    client: SecretManagerServiceClient, secret: str, payload: dict[str, object]
) -> None:
    with pytest.raises(exceptions.InvalidArgument):
        client.add_secret_version(parent=secret, payload=types.SecretPayload(payload))
    assert list(client.list_secret_versions(parent=secret)) == []


def test_versions_are_found_by_number_alias_and_latest(client: SecretManagerServiceClient, secret: str) -> None:
    add(client, secret, b"1", b"2")
    alias(client, secret, "old", 1)
    assert [access(client, secret, one) for one in ("1", "2", "latest", "old")] == [b"1", b"2", b"2", b"1"]
    for unknown in ("0", "3", "new"):
        with pytest.raises(exceptions.NotFound):
            access(client, secret, unknown)


def test_an_alias_of_a_version_that_does_not_exist_is_refused(client: SecretManagerServiceClient, secret: str) -> None:
    with pytest.raises(exceptions.InvalidArgument):
        alias(client, secret, "old", 1)


def test_a_disabled_latest_is_not_passed_over(client: SecretManagerServiceClient, secret: str) -> None:
    add(client, secret, b"1", b"2")
    client.disable_secret_version(name=f"{secret}/versions/latest")
    with pytest.raises(exceptions.FailedPrecondition):
        access(client, secret, "latest")
    assert access(client, secret, "1") == b"1"
    client.enable_secret_version(name=f"{secret}/versions/2")
    assert access(client, secret, "latest") == b"2"


def test_a_destroyed_version_stays_destroyed(client: SecretManagerServiceClient, secret: str) -> None:
    add(client, secret, b"1")
    destroyed = client.destroy_secret_version(name=f"{secret}/versions/1")
    assert (destroyed.state.name, bool(destroyed.destroy_time)) == ("DESTROYED", True)
    for call in (client.access_secret_version, client.enable_secret_version, client.disable_secret_version):
        with pytest.raises(exceptions.FailedPrecondition):
            call(name=f"{secret}/versions/1")
    assert client.get_secret_version(name=f"{secret}/versions/1").state.name == "DESTROYED"


def test_lists_show_the_newest_first_page_by_page(client: SecretManagerServiceClient, secret: str) -> None:
    add(client, secret, b"1", b"2", b"3")
    pages = client.list_secret_versions(request={"parent": secret, "page_size": 2}).pages
    assert [[one.name.rpartition("/")[2] for one in page.versions] for page in pages] == [["3", "2"], ["1"]]
    assert next(iter(client.list_secrets(parent=PROJECT))).name == secret


def test_a_secret_exists_once_and_is_gone_when_deleted(client: SecretManagerServiceClient, secret: str) -> None:
    add(client, secret, b"1")
    assert client.get_secret(name=secret).labels == {"a": "b"}
    with pytest.raises(exceptions.AlreadyExists):
        create(client, secret.rpartition("/")[2])
    client.delete_secret(name=secret)
    for missing in (lambda: client.get_secret(name=secret), lambda: access(client, secret, "latest")):
        with pytest.raises(exceptions.NotFound):
            missing()


def test_what_is_not_known_is_refused_loudly(client: SecretManagerServiceClient, secret: str) -> None:
    with pytest.raises(exceptions.MethodNotImplemented):
        client.get_iam_policy(request={"resource": secret})
    with pytest.raises(exceptions.MethodNotImplemented):
        create(client, "expires", ttl={"seconds": 60})
    with pytest.raises(exceptions.MethodNotImplemented):
        client.delete_secret(request={"name": secret, "etag": '"1"'})


def test_faults_of_the_file_strike_and_end(client: SecretManagerServiceClient, secret: str, faults_file: Path) -> None:
    add(client, secret, b"1")
    draft = faults_file.with_suffix(".new")
    draft.write_text(json.dumps({"match": "AccessSecretVersion", "skip": 1, "times": 1, "action": "error"}))
    draft.replace(faults_file)
    name = f"{secret}/versions/1"
    client.access_secret_version(name=name, retry=None)
    with pytest.raises(exceptions.ServiceUnavailable):
        client.access_secret_version(name=name, retry=None)
    client.access_secret_version(name=name, retry=None)
    draft.write_text(json.dumps([{"match": "AccessSecretVersion", "action": "hang"}]))
    draft.replace(faults_file)
    with pytest.raises(exceptions.DeadlineExceeded):
        client.access_secret_version(name=name, retry=None, timeout=0.2)
    faults_file.unlink()
    assert access(client, secret, "1") == b"1"
