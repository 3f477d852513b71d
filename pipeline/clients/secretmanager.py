"""Secrets: the only importer of Secret Manager. Read at each run, so that a new version counts without a redeploy."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, partial
from threading import Lock
from typing import Final

import google_crc32c
import grpc
from google.api_core import exceptions as api
from google.auth import exceptions as auth
from google.cloud import secretmanager
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import SecretManagerServiceGrpcTransport

from pipeline.budget import Budget
from pipeline.clients.deadline import asking, unanswered
from pipeline.errors import CredentialsUnavailable, CredentialsUnreachable
from pipeline.settings import Settings
from pipeline.streams.background import together

SERVICE: Final = "Secret Manager"


@dataclass(frozen=True, slots=True)
class Secret:
    """The value of the latest version; never shown by repr. `version` is its number."""

    name: str
    version: str
    value: bytes = field(repr=False)

    @property
    def text(self) -> str:
        """The value as a passphrase without a last line break, byte for byte: python-gnupg writes text as Latin-1.

        Raises CredentialsUnavailable where it is not one line.
        """
        text = self.value.decode("latin-1").rstrip("\r\n")
        if not set(text).isdisjoint("\r\n\0"):
            raise CredentialsUnavailable(f"Secret {self.name} version {self.version} must hold one line of text.")
        return text


class Connections:
    """The client of one process, made on first use and kept."""

    def __init__(self, settings: Settings) -> None:
        self._grpc = settings.secret_manager_emulator_host
        self._making = Lock()

    @property
    def client(self) -> secretmanager.SecretManagerServiceClient:
        """Secret Manager's client; each call is given its own time."""
        with self._making:
            return self._client

    @cached_property
    def _client(self) -> secretmanager.SecretManagerServiceClient:
        if not self._grpc:
            return secretmanager.SecretManagerServiceClient()
        transport = SecretManagerServiceGrpcTransport(channel=grpc.insecure_channel(self._grpc))
        return secretmanager.SecretManagerServiceClient(transport=transport)


class Credentials:
    """Reads the secrets of one project, within the budget of one run."""

    def __init__(self, connections: Connections, settings: Settings, budget: Budget) -> None:
        self._project = settings.google_cloud_project
        self._connections = connections
        self._budget = budget

    def read_all(self, *names: str) -> list[Secret]:
        """The latest version of each, asked for at the same time. Raises as `read` does."""
        return together(*(partial(self.read, name) for name in names))

    def read(self, name: str) -> Secret:
        """The latest version. Raises CredentialsUnavailable with what to do, CredentialsUnreachable, OutOfTime."""
        path = f"projects/{self._project}/secrets/{name}"
        try:
            answer = self._connections.client.access_secret_version(
                name=f"{path}/versions/latest", **asking(SERVICE, self._budget)
            )
        except api.NotFound:
            raise CredentialsUnavailable(
                f"{path} has no version; add one with: gcloud secrets versions add {name} --data-file=FILE."
            ) from None
        except api.FailedPrecondition:
            raise CredentialsUnavailable(
                f"The latest version of {path} is disabled or destroyed; enable it, or add a new one."
            ) from None
        except api.PermissionDenied:
            raise CredentialsUnavailable(
                f"Access to {path} is denied; the function's account needs secretAccessor on it."
            ) from None
        except (api.GoogleAPICallError, api.RetryError, auth.GoogleAuthError, grpc.RpcError) as error:
            raise unanswered(CredentialsUnreachable, SERVICE, path, error, self._budget) from None
        value = bytes(answer.payload.data)
        if answer.payload.data_crc32c != int.from_bytes(google_crc32c.Checksum(value).digest(), "big"):
            raise CredentialsUnreachable(f"{path} arrived damaged: its checksum differs.")
        if not value.strip():
            raise CredentialsUnavailable(f"The latest version of {path} is empty; add one with the value.")
        return Secret(name, answer.name.rsplit("/", 1)[-1], value)
