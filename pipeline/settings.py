"""What the deployment says: the environment, read once into a frozen object, every problem reported at once.

The same variables are set by Terraform in the cloud and by the local stack; only endpoints differ. No secret is ever a
setting: settings hold the *names* of secrets.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)

from pipeline.errors import SettingsInvalid

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Publish = Literal["direct", "rename"]

HERE = Path(__file__).parent


class Settings(BaseModel):
    """Everything that differs between deployments; a field `x_y` is the environment variable `X_Y`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    google_cloud_project: Name = Field(description="Project that is billed and that holds topics and secrets.")
    bigquery_project: str = Field("", description="Project of the dataset, where it is another one.")
    bigquery_dataset: Name = Field(description="Dataset with the three tables and the watermark.")
    archive_bucket: Name = Field(description="Bucket of the audit copies: CSV and sealed files.")
    records_bucket: Name = Field(description="Bucket of the records: plans, proofs, certificates.")
    topic: Name = Field(description="Topic that triggers the function; fan-out and republishing go there.")
    rejected_topic: Name = Field(description="Topic for messages that can never succeed, with the reason.")
    sftp_host: Name = Field(description="The partner's SFTP server.")
    sftp_port: int = Field(22, ge=1, le=65535, description="Its port.")
    sftp_user: Name = Field(description="Our user there.")
    sftp_directory: str = Field("", description="Directory for our files; empty: where the login lands.")
    sftp_publish: Publish = Field(
        "direct",
        description="direct: write the final name (AWS Transfer); rename: write a temporary name, then rename.",
    )
    sftp_collects: bool = Field(
        False, description="The partner takes files away; then one that arrived whole and is gone counts as collected."
    )
    returns_host: str = Field("", description="Server with the partner's error and acknowledgement files; empty: none.")
    returns_port: int = Field(22, ge=1, le=65535, description="Its port.")
    returns_user: str = Field("", description="Our user there.")
    returns_directory: str = Field("", description="Directory to collect from.")
    returns_delete: bool = Field(False, description="Delete a returned file at the partner once it is archived.")
    returns_error_pattern: str = Field(
        r"(?i)(err|rej|fail)", description="Regular expression; a returned file whose name matches is an error file."
    )
    pgp_compression: str = Field(
        "zlib:1", pattern=r"^(none|(zip|zlib|bzip2):[1-9])$", description="Algorithm and level, or none."
    )
    pgp_sign: bool = Field(True, description="Sign inside the encrypted message; off only where the partner asks.")
    pgp_reopen: bool = Field(True, description="Open every sealed file again before it may be sent.")
    time_budget_seconds: int = Field(
        450, ge=10, le=3500, description="Time of one invocation; the platform's limit less a margin."
    )
    max_part_rows: int = Field(10_000_000, ge=1, description="A delivery of more rows is cut into parts.")
    max_part_bytes: int = Field(1_000_000_000, ge=1, description="A delivery of more bytes (estimated) likewise.")
    max_message_age_hours: int = Field(
        36, ge=1, le=167, description="A message older than this is rejected; Pub/Sub forgets it after 168 hours."
    )
    max_bytes_billed: int = Field(
        1_000_000_000_000, ge=10_485_760, description="A query that would bill more bytes is refused by BigQuery."
    )
    time_travel_hours: int = Field(
        48, ge=1, le=168, description="How far back the tables can be read; a plan older than this is planned anew."
    )
    first_hour: AwareDatetime | None = Field(
        None,
        description="First hour that is shared, such as 2026-11-23T13:00:00Z; empty: firstHour of the contract or, "
        "without it, the first that was planned.",
    )
    look_back_hours: int = Field(48, ge=2, le=720, description="How far back certify looks for holes.")
    max_republish: int = Field(50, ge=0, le=1000, description="Most deliveries that one certify run republishes.")
    revise_late_rows: bool = Field(True, description="Send rows that arrived late as a new revision.")
    contracts_directory: Path = Field(HERE / "contracts", description="Where the contracts are.")
    signing_key_secret: Name = Field("pgp-signing-key", description="Secret: our private PGP key.")
    signing_passphrase_secret: str = Field(
        "pgp-signing-passphrase", description="Secret: its passphrase; empty: the key has none."
    )
    partner_key_secret: Name = Field("pgp-partner-key", description="Secret: the partner's public PGP key.")
    sftp_key_secret: Name = Field("sftp-key", description="Secret: our private SSH key.")
    sftp_host_keys_secret: Name = Field(
        "sftp-host-keys", description="Secret: the partner's pinned host keys, a line each."
    )
    returns_key_secret: str = Field("", description="Secret: SSH key for the returns server; empty: sftp_key_secret.")
    returns_host_keys_secret: str = Field(
        "", description="Secret: host keys of the returns server; empty: sftp_host_keys_secret."
    )
    bigquery_emulator_host: str = Field("", description="Endpoint instead of the cloud's, e.g. http://127.0.0.1:9050.")
    bigquery_storage_emulator_host: str = Field("", description="Likewise for the Storage Read API, host:port.")
    secret_manager_emulator_host: str = Field("", description="Likewise for Secret Manager, host:port.")
    storage_emulator_host: str = Field("", description="Likewise for Cloud Storage; read by its client itself.")
    pubsub_emulator_host: str = Field("", description="Likewise for Pub/Sub; read by its client itself.")

    @field_validator("returns_error_pattern")
    @classmethod
    def _is_a_pattern(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"is not a regular expression: {error}") from None
        return value

    @field_validator("contracts_directory")
    @classmethod
    def _is_a_directory(cls, value: Path) -> Path:
        if not value.is_dir():
            raise ValueError(f"{value} is not a directory")
        return value

    @model_validator(mode="after")
    def _returns_are_whole(self) -> Settings:
        if self.returns_host and not self.returns_user:
            raise ValueError("RETURNS_HOST is set, so RETURNS_USER is needed too")
        returned = (self.returns_host, self.returns_port, self.returns_user, self.returns_directory)
        delivered = (self.sftp_host, self.sftp_port, self.sftp_user, self.sftp_directory)
        if _place(*returned) == _place(*delivered):
            raise ValueError(
                "RETURNS_HOST, RETURNS_PORT, RETURNS_USER and RETURNS_DIRECTORY name the place that deliveries go to, "
                "and collecting would take them away; name the place of the partner's own files"
            )
        return self

    @property
    def warehouse(self) -> str:
        """Project and dataset of the tables, as SQL names them."""
        return f"{self.bigquery_project or self.google_cloud_project}.{self.bigquery_dataset}"


def _place(host: str, port: int, user: str, directory: str) -> tuple[str, int, str, str]:
    """The same for all spellings of one directory; a login is taken to begin at the root."""
    return host.lower().rstrip("."), port, user, posixpath.normpath(f"/{directory.strip('/')}")


ENDPOINTS: Final = tuple(name.upper() for name in Settings.model_fields if name.endswith("_emulator_host"))
"""Variables that name an endpoint instead of the cloud's."""


def from_environment(
    environment: Mapping[str, str] | None = None, *, needed: Collection[str] | None = None
) -> Settings:
    """The settings of this process.

    Raises SettingsInvalid with every missing or malformed variable, a line each. Variables that are set to nothing
    count as absent, so that Terraform may pass them on empty. Where only some fields are `needed`, the others may be
    missing, and are empty then.
    """
    given = os.environ if environment is None else environment
    model = Settings if needed is None else _requiring(frozenset(needed))
    values = {name: given[name.upper()] for name in Settings.model_fields if given.get(name.upper(), "").strip()}
    try:
        return model(**values)  # type: ignore[arg-type]  # strings in, checked and converted by the model
    except ValidationError as error:
        lines = [
            f"{'.'.join(str(part) for part in item['loc']).upper() or 'settings'}: "
            + ("is not set" if item["type"] == "missing" else item["msg"])
            for item in error.errors(include_input=False, include_url=False)
        ]
        raise SettingsInvalid("The environment is not complete:\n  " + "\n  ".join(lines) + "\n") from None


@cache
def _requiring(needed: frozenset[str]) -> type[Settings]:
    """Settings of which only these fields must be given."""
    others: dict[str, Any] = {
        name: (str, "") for name, field in Settings.model_fields.items() if field.is_required() and name not in needed
    }
    return create_model("Settings", __base__=Settings, **others)
