"""Secrets: the latest version at every run, and a sentence that says what to do where there is none."""

import time

import grpc
import pytest
from google.cloud import secretmanager
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import SecretManagerServiceGrpcTransport

from localcloud.world import PROJECT
from pipeline import settings
from pipeline.budget import Budget
from pipeline.clients.secretmanager import Credentials, Secret
from pipeline.errors import CredentialsUnavailable, OutOfTime
from tests.tenant import Tenant

PATH = f"projects/{PROJECT}/secrets"


@pytest.fixture
def credentials(tenant: Tenant) -> Credentials:
    return Credentials(settings.from_environment())


@pytest.fixture
def manager(tenant: Tenant) -> secretmanager.SecretManagerServiceClient:
    channel = grpc.insecure_channel(tenant.services["secretmanager"].ready["grpc"])
    return secretmanager.SecretManagerServiceClient(transport=SecretManagerServiceGrpcTransport(channel=channel))


def test_the_latest_version_is_read_with_its_number(tenant: Tenant, credentials: Credentials) -> None:
    tenant.add_secret(tenant.name, b"old")
    assert credentials.read(tenant.name, Budget.of(30)) == Secret(tenant.name, "1", b"old")
    tenant.add_secret(tenant.name, b"new\0\xff")
    assert credentials.read(tenant.name, Budget.of(30)) == Secret(tenant.name, "2", b"new\0\xff")


def test_a_value_is_never_shown(tenant: Tenant, credentials: Credentials) -> None:
    tenant.add_secret(tenant.name, b"open sesame")
    assert "sesame" not in repr(credentials.read(tenant.name, Budget.of(30)))


@pytest.mark.parametrize(
    ("value", "text"),
    [(b"plain", "plain"), (b"plain\n", "plain"), (b"plain\r\n", "plain"), (b" a b ", " a b "), (b"\xc3\xbc", "Ã¼")],
)
def test_a_passphrase_is_one_line_without_its_end_byte_for_byte(value: bytes, text: str) -> None:
    assert Secret("name", "1", value).text == text
    assert text.encode("latin-1") == value.rstrip(b"\r\n")


@pytest.mark.parametrize("value", [b"one\ntwo", b"one\rtwo\n", b"a\0b"])
def test_several_lines_are_no_passphrase(value: bytes) -> None:
    with pytest.raises(CredentialsUnavailable, match="Secret name version 1 must hold one line") as caught:
        _ = Secret("name", "1", value).text
    assert "two" not in str(caught.value)


def test_a_secret_that_is_not_there_is_said_with_the_command_that_adds_it(credentials: Credentials) -> None:
    with pytest.raises(CredentialsUnavailable, match="gcloud secrets versions add no-such --data-file=FILE"):
        credentials.read("no-such", Budget.of(30))


@pytest.mark.parametrize("state", ["disabled", "destroyed"])
def test_a_version_that_is_disabled_or_destroyed_is_said_to_be(
    tenant: Tenant, credentials: Credentials, manager: secretmanager.SecretManagerServiceClient, state: str
) -> None:
    tenant.add_secret(tenant.name, b"value")
    version = f"{PATH}/{tenant.name}/versions/1"
    if state == "disabled":
        manager.disable_secret_version(name=version)
    else:
        manager.destroy_secret_version(name=version)
    with pytest.raises(
        CredentialsUnavailable, match=f"latest version of {PATH}/{tenant.name} is disabled or destroyed"
    ):
        credentials.read(tenant.name, Budget.of(30))


def test_an_empty_value_is_said_to_be_empty(tenant: Tenant, credentials: Credentials) -> None:
    tenant.add_secret(tenant.name, b" \n")
    with pytest.raises(CredentialsUnavailable, match="is empty; add one with the value"):
        credentials.read(tenant.name, Budget.of(30))


def test_a_service_that_is_not_there_is_an_error_that_may_pass(tenant: Tenant) -> None:
    tenant.set(SECRET_MANAGER_EMULATOR_HOST="127.0.0.1:1")
    with pytest.raises(CredentialsUnavailable, match="Secret Manager cannot give"):
        Credentials(settings.from_environment()).read("pgp-partner-key", Budget.of(5))
    assert CredentialsUnavailable.retryable


def test_no_secret_is_read_when_the_time_is_over(credentials: Credentials) -> None:
    with pytest.raises(OutOfTime):
        credentials.read("pgp-partner-key", Budget(time.monotonic() - 1, 1))
