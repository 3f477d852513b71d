"""Is all in place for a first run: every secret, permission, host, table and topic tried, with what to do about it.

Nothing is written: an upload is begun and never finished, a login only lists, topics are asked what is permitted.
What cannot be tried without leaving something behind is said to be untried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

from pipeline import partner
from pipeline.archive import Bucket
from pipeline.cloud import Cloud
from pipeline.dataset import Dataset
from pipeline.errors import PipelineError, TopicUnavailable
from pipeline.gnupghome import gnupghome
from pipeline.keyring import keyring
from pipeline.keys import days_left
from pipeline.partner import Server
from pipeline.window import rfc3339

State = Literal["ok", "failed", "untried"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried, how that went, and what was seen or is to be done."""

    what: str
    state: State
    detail: str


class _Untried(Exception):
    """It cannot be tried without a trace; the text says what will try it."""


def checks(cloud: Cloud) -> Iterator[Check]:
    """Try everything, one after the other; a failure stops nothing. Raises OutOfTime only where all time is over."""
    for what, attempt in _attempts(cloud):
        try:
            yield Check(what, "ok", attempt())
        except _Untried as reason:
            yield Check(what, "untried", str(reason))
        except PipelineError as error:
            yield Check(what, "failed", error.message)


def _attempts(cloud: Cloud) -> Iterator[tuple[str, Callable[[], str]]]:
    settings = cloud.settings
    yield "gpg", _gpg
    secrets = [settings.partner_key_secret, settings.sftp_key_secret, settings.sftp_host_keys_secret]
    if settings.pgp_sign:
        secrets += [settings.signing_key_secret, settings.signing_passphrase_secret]
    if settings.returns_host:
        secrets += [settings.returns_key_secret, settings.returns_host_keys_secret]
    for name in dict.fromkeys(filter(None, secrets)):
        yield f"secret {name}", partial(_secret, name, cloud)
    yield "PGP keys", partial(_keys, cloud)
    for dataset in cloud.clients.datasets.values():
        yield f"table {settings.warehouse}.{dataset.table}", partial(_table, dataset, cloud)
        yield f"watermark of {dataset.name}", partial(_watermark, dataset, cloud)
    for bucket in (settings.archive_bucket, settings.records_bucket):
        yield f"bucket {bucket}", partial(_bucket, bucket, cloud)
    for topic in (settings.topic, settings.rejected_topic):
        yield f"topic {topic}", partial(_topic, topic, cloud)
    yield f"partner's server {settings.sftp_host}", partial(_server, cloud.partner, cloud)
    yield "uploading to the partner", _upload
    if settings.returns_host:
        yield f"returns server {settings.returns_host}", partial(_server, cloud.returns, cloud)


def _gpg() -> str:
    with gnupghome():
        return "installed"


def _secret(name: str, cloud: Cloud) -> str:
    return f"version {cloud.credentials.read(name, cloud.budget).version} can be read"


def _keys(cloud: Cloud) -> str:
    with keyring(cloud.settings, cloud.credentials, cloud.budget) as keys:
        found = [("partner's", keys.partner), ("ours", keys.signing)]
        told = [(whose, key, days_left(key, cloud.now())) for whose, key in found if key is not None]
    return "; ".join(
        f"{whose} {key.fingerprint} usable, {'no end' if left is None else f'{left} days left'}"
        for whose, key, left in told
    )


def _table(dataset: Dataset, cloud: Cloud) -> str:
    cloud.source.table_is_readable(dataset, cloud.budget)
    return f"readable, with all {len(dataset.columns)} columns of the contract"


def _watermark(dataset: Dataset, cloud: Cloud) -> str:
    if dataset.watermark is None:
        return "the contract has none: every hour counts as complete when it is over"
    complete = cloud.source.readiness(dataset, cloud.budget).complete_until
    if complete is None:
        raise _Untried(
            f"{dataset.watermark} has no row for it; the job that fills the table writes one when it is done."
        )
    return f"complete until {rfc3339(complete)}"


def _bucket(name: str, cloud: Cloud) -> str:
    bucket = Bucket(cloud.clients.storage, name, cloud.budget)
    bucket.names("verify-setup/")
    bucket.may_create(f"verify-setup/{cloud.attempt}")
    return "can be listed, and objects created"


def _topic(name: str, cloud: Cloud) -> str:
    permitted = cloud.topics.may_publish(name, cloud.budget)
    if permitted is None:
        raise _Untried('This Pub/Sub does not tell permissions; publish {"action": "keys"} to try.')
    if not permitted:
        raise TopicUnavailable(f"This account may not publish to {name}; it needs roles/pubsub.publisher on the topic.")
    return "publishing is permitted"


def _server(server: Callable[[], Server | None], cloud: Cloud) -> str:
    found = server()
    assert found is not None
    shown = partner.host_key(found, cloud.budget)
    files = partner.listing(found, cloud.budget)
    listed = "its listing is closed to us" if files is None else f"{len(files)} files listed"
    return f"host key {shown} is pinned, the login is accepted, {listed}"


def _upload() -> str:
    raise _Untried("It would leave a file with the partner; the first delivery tries it.")
