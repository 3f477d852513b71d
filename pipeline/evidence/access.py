"""Who read the secrets: from entries of Cloud Logging's data access log, as gcloud prints them; pure.

The log is not read here: who may read it is not who runs the pipeline, and a file that was made by somebody who may is
the better evidence. Fields are those of google.logging.v2.LogEntry and google.cloud.audit.AuditLog.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from pipeline.window import Window, rfc3339

METHOD: Final = "AccessSecretVersion"


class NotALog(ValueError):
    """The file does not hold log entries as gcloud prints them; the message says where it differs."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


class _Principal(_Entry):
    principal_email: str = "not named"


class _Delegation(_Entry):
    first_party_principal: _Principal = Field(default_factory=_Principal)


class _Authentication(_Entry):
    principal_email: str = "not named"
    service_account_delegation_info: tuple[_Delegation, ...] = ()


class _Status(_Entry):
    code: int = 0


class _Payload(_Entry):
    method_name: str = ""
    resource_name: str = ""
    authentication_info: _Authentication = Field(default_factory=_Authentication)
    status: _Status = Field(default_factory=_Status)


class _LogEntry(_Entry):
    timestamp: AwareDatetime
    proto_payload: _Payload = Field(default_factory=_Payload)


_LOG: Final = TypeAdapter(tuple[_LogEntry, ...])


@dataclass(frozen=True, slots=True)
class Access:
    """How often somebody read a version of a secret, or tried; `who` names for whom an account acted, if anybody."""

    who: str
    secret: str
    times: int
    refused: int
    first: datetime
    last: datetime


def command(project: str, window: Window) -> str:
    """The command that prints who read secrets of the project in the period."""
    filter_ = (
        f'protoPayload.methodName:"{METHOD}" AND timestamp>="{rfc3339(window.start)}" '
        f'AND timestamp<"{rfc3339(window.end)}"'
    )
    return f"gcloud logging read '{filter_}' --project={project} --format=json > access.json"


def accesses(content: bytes, window: Window) -> tuple[Access, ...]:
    """Who read which secret in the period, by name. Raises NotALog."""
    try:
        entries = _LOG.validate_json(content)
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"]) or "at its beginning"
        raise NotALog(f"It is not what `gcloud logging read --format=json` prints: {place}.") from None
    found: dict[tuple[str, str], list[_LogEntry]] = {}
    for entry in entries:
        payload = entry.proto_payload
        if METHOD in payload.method_name and window.start <= entry.timestamp < window.end:
            found.setdefault((_who(payload.authentication_info), _secret(payload.resource_name)), []).append(entry)
    return tuple(_access(who, secret, entries) for (who, secret), entries in sorted(found.items()))


def _access(who: str, secret: str, entries: Iterable[_LogEntry]) -> Access:
    times = sorted(entry.timestamp for entry in entries)
    refused = sum(entry.proto_payload.status.code != 0 for entry in entries)
    return Access(who, secret, len(times), refused, times[0], times[-1])


def _who(given: _Authentication) -> str:
    behind = [one.first_party_principal.principal_email for one in given.service_account_delegation_info]
    return given.principal_email + (f", for {', '.join(behind)}" if behind else "")


def _secret(resource: str) -> str:
    """`pgp-signing-key, version 3` of `projects/1/secrets/pgp-signing-key/versions/3`."""
    name, _, version = resource.rpartition("/secrets/")[2].partition("/versions/")
    return f"{name}, version {version}" if version else name
