"""Secret Manager on one machine, over gRPC: `python -m localcloud.secretmanager --port 0`.

Secrets, versions, aliases and their states, kept in memory. Left out and answered UNIMPLEMENTED: IAM, regional secrets,
expiry, rotation, notifications, filters and etags as preconditions. Credentials are not looked at.
"""

import argparse
import re
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import google_crc32c
import grpc
from google.cloud.secretmanager_v1 import types

from localcloud.pubsub.faults import Faults
from localcloud.pubsub.rpc import Method, Refused, allow_only, invalid, not_here, serve, service

LARGEST_PAYLOAD = 65_536
"""Bytes (Secret Manager documentation, "Quotas and limits")."""
LARGEST_PAGE = 25_000
SECRET = re.compile(r"projects/[^/]+/secrets/[A-Za-z0-9_-]{1,255}")
SECRET_FIELDS = frozenset({"name", "replication", "create_time", "labels", "etag", "version_aliases", "annotations"})
CHANGEABLE = frozenset({"labels", "version_aliases", "annotations"})

State = types.SecretVersion.State


@dataclass(slots=True)
class Version:
    resource: types.SecretVersion
    data: bytes


@dataclass(slots=True)
class Secret:
    resource: types.Secret
    versions: list[Version] = field(default_factory=list)


class SecretManager:
    """The service. Every method is atomic; each raises Refused with the status that the real one gives."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._secrets: dict[str, Secret] = {}

    def create_secret(self, request: types.CreateSecretRequest, _: grpc.ServicerContext) -> types.Secret:
        allow_only(request.secret, SECRET_FIELDS)
        name = f"{request.parent}/secrets/{request.secret_id}"
        if SECRET.fullmatch(name) is None:
            raise invalid(f"{name} is no name of a secret.")
        if "replication" not in request.secret:
            raise invalid("Secret.replication must be provided.")
        with self._lock:
            if name in self._secrets:
                raise Refused(grpc.StatusCode.ALREADY_EXISTS, f"Secret [{name}] already exists.")
            resource = types.Secret(request.secret)
            resource.name = name
            _stamp(resource, "create_time")
            self._secrets[name] = Secret(resource)
            return resource

    def get_secret(self, request: types.GetSecretRequest, _: grpc.ServicerContext) -> types.Secret:
        return self._secret(request.name).resource

    def update_secret(self, request: types.UpdateSecretRequest, _: grpc.ServicerContext) -> types.Secret:
        paths = list(request.update_mask.paths)
        if not paths or not CHANGEABLE.issuperset(paths):
            raise not_here(f"an update of {paths}")
        with self._lock:
            secret = self._secret(request.secret.name)
            if "version_aliases" in paths:
                for alias, number in request.secret.version_aliases.items():
                    if not 1 <= number <= len(secret.versions):
                        raise invalid(f"The alias {alias} names version {number}, which does not exist.")
            for path in paths:
                setattr(secret.resource, path, getattr(request.secret, path))
            return secret.resource

    def delete_secret(self, request: types.DeleteSecretRequest, _: grpc.ServicerContext) -> None:
        _no_etag(request.etag)
        with self._lock:
            del self._secrets[self._secret(request.name).resource.name]

    def list_secrets(self, request: types.ListSecretsRequest, _: grpc.ServicerContext) -> types.ListSecretsResponse:
        """The newest first."""
        _no_filter(request.filter)
        found = [one.resource for name, one in self._secrets.items() if name.startswith(f"{request.parent}/secrets/")]
        start, end, token = _page(request.page_token, request.page_size, len(found))
        return types.ListSecretsResponse(secrets=found[::-1][start:end], next_page_token=token, total_size=len(found))

    def add_version(self, request: types.AddSecretVersionRequest, _: grpc.ServicerContext) -> types.SecretVersion:
        data = request.payload.data
        if not 0 < len(data) <= LARGEST_PAYLOAD:
            raise invalid(f"A payload has 1 to {LARGEST_PAYLOAD} bytes.")
        checked = "data_crc32c" in request.payload
        if checked and request.payload.data_crc32c != google_crc32c.value(data):
            raise invalid("The payload's data_crc32c does not fit its data.")
        with self._lock:
            secret = self._secret(request.parent)
            resource = types.SecretVersion(
                name=f"{secret.resource.name}/versions/{len(secret.versions) + 1}",
                state=State.ENABLED,
                client_specified_payload_checksum=checked,
            )
            _stamp(resource, "create_time")
            secret.versions.append(Version(resource, data))
            return resource

    def access_version(
        self, request: types.AccessSecretVersionRequest, _: grpc.ServicerContext
    ) -> types.AccessSecretVersionResponse:
        """The payload. `latest` is the newest version whatever its state: when it is disabled, access fails."""
        version = self._version(request.name)
        name, state = version.resource.name, version.resource.state
        if state != State.ENABLED:
            raise Refused(
                grpc.StatusCode.FAILED_PRECONDITION, f"Secret Version [{name}] is in {State(state).name} state."
            )
        payload = types.SecretPayload(data=version.data, data_crc32c=google_crc32c.value(version.data))
        return types.AccessSecretVersionResponse(name=name, payload=payload)

    def get_version(self, request: types.GetSecretVersionRequest, _: grpc.ServicerContext) -> types.SecretVersion:
        return self._version(request.name).resource

    def list_versions(
        self, request: types.ListSecretVersionsRequest, _: grpc.ServicerContext
    ) -> types.ListSecretVersionsResponse:
        """The newest first."""
        _no_filter(request.filter)
        found = [one.resource for one in reversed(self._secret(request.parent).versions)]
        start, end, token = _page(request.page_token, request.page_size, len(found))
        return types.ListSecretVersionsResponse(versions=found[start:end], next_page_token=token, total_size=len(found))

    def enable(self, request: types.EnableSecretVersionRequest, _: grpc.ServicerContext) -> types.SecretVersion:
        return self._turn(request.name, request.etag, State.ENABLED)

    def disable(self, request: types.DisableSecretVersionRequest, _: grpc.ServicerContext) -> types.SecretVersion:
        return self._turn(request.name, request.etag, State.DISABLED)

    def destroy(self, request: types.DestroySecretVersionRequest, _: grpc.ServicerContext) -> types.SecretVersion:
        return self._turn(request.name, request.etag, State.DESTROYED)

    def methods(self) -> tuple[Method, ...]:
        version = types.SecretVersion
        return (
            Method("CreateSecret", types.CreateSecretRequest, types.Secret, self.create_secret),
            Method("GetSecret", types.GetSecretRequest, types.Secret, self.get_secret),
            Method("UpdateSecret", types.UpdateSecretRequest, types.Secret, self.update_secret),
            Method("DeleteSecret", types.DeleteSecretRequest, None, self.delete_secret),
            Method("ListSecrets", types.ListSecretsRequest, types.ListSecretsResponse, self.list_secrets),
            Method("AddSecretVersion", types.AddSecretVersionRequest, version, self.add_version),
            Method(
                "AccessSecretVersion",
                types.AccessSecretVersionRequest,
                types.AccessSecretVersionResponse,
                self.access_version,
            ),
            Method("GetSecretVersion", types.GetSecretVersionRequest, version, self.get_version),
            Method(
                "ListSecretVersions",
                types.ListSecretVersionsRequest,
                types.ListSecretVersionsResponse,
                self.list_versions,
            ),
            Method("EnableSecretVersion", types.EnableSecretVersionRequest, version, self.enable),
            Method("DisableSecretVersion", types.DisableSecretVersionRequest, version, self.disable),
            Method("DestroySecretVersion", types.DestroySecretVersionRequest, version, self.destroy),
        )

    def _secret(self, name: str) -> Secret:
        try:
            return self._secrets[name]
        except KeyError:
            raise Refused(grpc.StatusCode.NOT_FOUND, f"Secret [{name}] not found.") from None

    def _version(self, name: str) -> Version:
        """By number, by alias, or `latest`."""
        parent, _, wanted = name.partition("/versions/")
        secret = self._secret(parent)
        number = len(secret.versions) if wanted == "latest" else secret.resource.version_aliases.get(wanted, wanted)
        if not str(number).isdigit() or not 1 <= int(number) <= len(secret.versions):
            raise Refused(grpc.StatusCode.NOT_FOUND, f"Secret Version [{name}] not found.")
        return secret.versions[int(number) - 1]

    def _turn(self, name: str, etag: str, state: int) -> types.SecretVersion:
        _no_etag(etag)
        with self._lock:
            version = self._version(name)
            if version.resource.state == State.DESTROYED:
                raise Refused(
                    grpc.StatusCode.FAILED_PRECONDITION, f"Secret Version [{version.resource.name}] is destroyed."
                )
            version.resource.state = State(state)
            if state == State.DESTROYED:
                version.data = b""
                _stamp(version.resource, "destroy_time")
            return version.resource


def _stamp(resource: types.Secret | types.SecretVersion, field: str) -> None:
    # Not by assignment: these fields take a datetime at run time, but their types say Timestamp.
    getattr(type(resource).pb(resource), field).FromDatetime(datetime.now(UTC))


def _no_etag(etag: str) -> None:
    if etag:
        raise not_here("etags as preconditions")


def _no_filter(text: str) -> None:
    if text:
        raise not_here("filters")


def _page(token: str, size: int, count: int) -> tuple[int, int, str]:
    """Start, end and the next token; a token is where its page starts."""
    if token and not token.isdigit():
        raise invalid("Invalid page_token.")
    start = int(token or 0)
    end = start + (min(size, LARGEST_PAGE) if size > 0 else LARGEST_PAGE)
    return start, end, str(end) if end < count else ""


def main() -> None:
    parser = argparse.ArgumentParser(prog="localcloud.secretmanager", description="Secret Manager on one machine")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--faults-file", type=Path, help="see localcloud/pubsub/faults.py")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="what every request takes longer")
    parser.add_argument("--exit-with-parent", action="store_true", help="end when stdin closes")
    given = parser.parse_args()
    name = "google.cloud.secretmanager.v1.SecretManagerService"
    handler = service(name, SecretManager().methods(), Faults(given.faults_file), given.latency_ms / 1000)
    serve("secretmanager", given.port, [handler], exit_with_parent=given.exit_with_parent)


if __name__ == "__main__":
    main()
