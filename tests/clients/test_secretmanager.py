"""Secrets: the latest version at every run, and a sentence that says what to do where there is none."""

import grpc
import pytest
from google.cloud import secretmanager
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import SecretManagerServiceGrpcTransport

from localcloud.cloud import PROJECT
from pipeline.budget import Budget
from pipeline.clients.secretmanager import Credentials, Secret
from pipeline.errors import CredentialsUnavailable, OutOfTime
from pipeline.run import Deployment, Run
from pipeline.settings import from_environment
from tests.deployment import InProcessDeployment

PATH = f"projects/{PROJECT}/secrets"


@pytest.fixture
def credentials(deployment: InProcessDeployment) -> Credentials:
    return deployment.within(30).credentials


@pytest.fixture
def manager(deployment: InProcessDeployment) -> secretmanager.SecretManagerServiceClient:
    channel = grpc.insecure_channel(deployment.cloud.services["secretmanager"].ready["grpc"])
    return secretmanager.SecretManagerServiceClient(transport=SecretManagerServiceGrpcTransport(channel=channel))


def test_the_latest_version_is_read_with_its_number(deployment: InProcessDeployment, credentials: Credentials) -> None:
    deployment.cloud.add_secret(deployment.name, b"old")
    assert credentials.read(deployment.name) == Secret(deployment.name, "1", b"old")
    deployment.cloud.add_secret(deployment.name, b"new\0\xff")
    assert credentials.read(deployment.name) == Secret(deployment.name, "2", b"new\0\xff")


def test_a_value_is_never_shown(deployment: InProcessDeployment, credentials: Credentials) -> None:
    deployment.cloud.add_secret(deployment.name, b"open sesame")
    assert "sesame" not in repr(credentials.read(deployment.name))


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
        credentials.read("no-such")


@pytest.mark.parametrize("state", ["disabled", "destroyed"])
def test_a_version_that_is_disabled_or_destroyed_is_said_to_be(
    deployment: InProcessDeployment,
    credentials: Credentials,
    manager: secretmanager.SecretManagerServiceClient,
    state: str,
) -> None:
    deployment.cloud.add_secret(deployment.name, b"value")
    version = f"{PATH}/{deployment.name}/versions/1"
    if state == "disabled":
        manager.disable_secret_version(name=version)
    else:
        manager.destroy_secret_version(name=version)
    with pytest.raises(
        CredentialsUnavailable, match=f"latest version of {PATH}/{deployment.name} is disabled or destroyed"
    ):
        credentials.read(deployment.name)


def test_an_empty_value_is_said_to_be_empty(deployment: InProcessDeployment, credentials: Credentials) -> None:
    deployment.cloud.add_secret(deployment.name, b" \n")
    with pytest.raises(CredentialsUnavailable, match="is empty; add one with the value"):
        credentials.read(deployment.name)


def test_a_service_that_is_not_there_is_an_error_that_may_pass(deployment: InProcessDeployment) -> None:
    deployment.set(SECRET_MANAGER_EMULATOR_HOST="127.0.0.1:1")
    with pytest.raises(CredentialsUnavailable, match="Secret Manager did not answer for 5 s"):
        Run(Deployment(from_environment()), Budget.of(60, patience=5)).credentials.read("pgp-partner-key")
    assert CredentialsUnavailable.retryable


def test_no_secret_is_read_when_the_time_is_over(deployment: InProcessDeployment) -> None:
    with pytest.raises(OutOfTime):
        deployment.within(-1).credentials.read("pgp-partner-key")
