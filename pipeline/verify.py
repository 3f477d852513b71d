"""Is all in place for a first run: every secret, permission, host, table and topic tried, with what to do about it.

Nothing is written: an upload is begun and never finished, a login only lists, topics are asked what is permitted.
What cannot be tried without leaving something behind is said to be untried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

from pipeline.clients import bigquery, connection, directory, pubsub, queries, secretmanager, storage
from pipeline.clients.ssh import Server
from pipeline.contracts import returned
from pipeline.contracts.dataset import Dataset
from pipeline.errors import ContractInvalid, PipelineError, TopicUnavailable
from pipeline.keys import days_left
from pipeline.pgp.home import gnupghome
from pipeline.pgp.keyring import keyring
from pipeline.run import Run
from pipeline.window import rfc3339

State = Literal["ok", "failed", "untried"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried, how that went, and what was seen or is to be done."""

    what: str
    state: State
    detail: str


@dataclass(frozen=True, slots=True)
class _Attempt:
    what: str
    service: str
    """Who is asked first; one that was silent once is not waited for again."""
    call: Callable[[], str]


class _Untried(Exception):
    """It cannot be tried without a trace; the text says what will try it."""


def verify(run: Run) -> list[Check]:
    """Try everything; what failed is in the list. Raises OutOfTime only where all time is over."""
    with run.stage("verify") as figures:
        tried = list(checks(run))
        figures.add(checks=len(tried), failed=sum(check.state == "failed" for check in tried))
    return tried


def checks(run: Run) -> Iterator[Check]:
    """Try everything, one after the other; a failure stops nothing but what would ask the same silent service.

    Raises OutOfTime only where all time is over.
    """
    silent: set[str] = set()
    for attempt in _attempts(run):
        if attempt.service in silent:
            yield Check(attempt.what, "untried", f"{attempt.service} did not answer before.")
            continue
        try:
            yield Check(attempt.what, "ok", attempt.call())
        except _Untried as reason:
            yield Check(attempt.what, "untried", str(reason))
        except PipelineError as error:
            silent.update(filter(None, [error.silent]))
            yield Check(attempt.what, "failed", error.message)


def _attempts(run: Run) -> Iterator[_Attempt]:
    settings = run.settings
    yield _Attempt("gpg", "gpg", _gpg)
    secrets = [settings.partner_key_secret, settings.sftp_key_secret, settings.sftp_host_keys_secret]
    if settings.pgp_sign:
        secrets += [settings.signing_key_secret, settings.signing_passphrase_secret]
    if settings.returns_host:
        secrets += [settings.returns_key_secret, settings.returns_host_keys_secret]
    for name in dict.fromkeys(filter(None, secrets)):
        yield _Attempt(f"secret {name}", secretmanager.SERVICE, partial(_secret, name, run))
    yield _Attempt("PGP keys", secretmanager.SERVICE, partial(_keys, run))
    for dataset in run.deployment.datasets.values():
        yield _Attempt(f"contract {dataset.name} {dataset.version}", storage.SERVICE, partial(_contract, dataset, run))
        yield _Attempt(f"table {settings.warehouse}.{dataset.table}", bigquery.SERVICE, partial(_table, dataset, run))
        yield _Attempt(f"types and filter of {dataset.series}", bigquery.SERVICE, partial(_types, dataset, run))
        yield _Attempt(f"watermark of {dataset.series}", bigquery.SERVICE, partial(_watermark, dataset, run))
    yield _Attempt("descriptions of returned files", "contracts", partial(_descriptions, run))
    for bucket in (settings.archive_bucket, settings.records_bucket):
        yield _Attempt(f"bucket {bucket}", storage.SERVICE, partial(_bucket, bucket, run))
    for topic in (settings.topic, settings.rejected_topic):
        yield _Attempt(f"topic {topic}", pubsub.SERVICE, partial(_topic, topic, run))
    # The key to the partner's server is a secret.
    yield _Attempt(f"partner's server {settings.sftp_host}", secretmanager.SERVICE, partial(_server, run.partner, run))
    yield _Attempt("uploading to the partner", "partner", _upload)
    if settings.returns_host:
        server = f"returns server {settings.returns_host}"
        yield _Attempt(server, secretmanager.SERVICE, partial(_server, run.returns, run))


def _gpg() -> str:
    with gnupghome():
        return "installed"


def _secret(name: str, run: Run) -> str:
    return f"version {run.credentials.read(name).version} can be read"


def _keys(run: Run) -> str:
    with keyring(run.settings, run.credentials) as keys:
        ring = [("partner's", keys.partner), ("ours", keys.signing)]
        told = [(whose, key, days_left(key, run.now())) for whose, key in ring if key is not None]
    return "; ".join(
        f"{whose} {key.fingerprint} usable, {'no end' if left is None else f'{left} days left'}"
        for whose, key, left in told
    )


def _contract(dataset: Dataset, run: Run) -> str:
    if (conflict := run.contracts.conflict(dataset)) is not None:
        raise ContractInvalid(conflict)
    return f"SHA-256 {dataset.sha256}, and its version was not used with another text"


def _descriptions(run: Run) -> str:
    found = returned.load(run.settings.contracts_directory)
    if found.problems:
        raise ContractInvalid("\n".join(found.problems))
    return f"{len(found.usable)} can be used" if found.usable else "there is none: names of files say what they are"


def _table(dataset: Dataset, run: Run) -> str:
    run.source.table_is_readable(dataset)
    return f"readable, with all {len(dataset.columns)} columns of the contract"


def _types(dataset: Dataset, run: Run) -> str:
    types = run.source.types(dataset)
    if types[queries.FILTER] != "BOOL":
        raise ContractInvalid(
            f"The filter of {dataset.name} is {types[queries.FILTER]}, not BOOL; write a condition, such as "
            f"({dataset.filter}) IS NOT NULL."
        )
    wrong = [column for column in dataset.columns if types[column.name] != column.type]
    if wrong:
        said = ", ".join(f"{column.source} is {types[column.name]} and not {column.type}" for column in wrong)
        raise ContractInvalid(
            f"In {run.settings.warehouse}.{dataset.table} {said}. Correct physicalType in the contract, or the table."
        )
    return f"the filter is a condition and all {len(dataset.columns)} columns have the contract's types"


def _watermark(dataset: Dataset, run: Run) -> str:
    if dataset.watermark is None:
        return "the contract has none: every hour counts as complete when it is over"
    complete = run.source.readiness(dataset).complete_until
    if complete is None:
        raise _Untried(
            f"{dataset.watermark} has no row for it; the job that fills the table writes one when it is done."
        )
    return f"complete until {rfc3339(complete)}"


def _bucket(name: str, run: Run) -> str:
    bucket = run.bucket(name)
    bucket.names("verify-setup/")
    bucket.may_create(f"verify-setup/{run.attempt}")
    return "can be listed, and objects created"


def _topic(name: str, run: Run) -> str:
    permitted = run.topics.may_publish(name)
    if permitted is None:
        raise _Untried('This Pub/Sub does not tell permissions; publish {"action": "keys"} to try.')
    if not permitted:
        raise TopicUnavailable(f"This account may not publish to {name}; it needs roles/pubsub.publisher on the topic.")
    return "publishing is permitted"


def _server(server: Callable[[], Server | None], run: Run) -> str:
    place = server()
    assert place is not None
    shown = connection.inspect(place)
    files = directory.listing(place)
    listed = "its listing is closed to us" if files is None else f"{len(files)} files listed"
    return f"host key {shown.host_key} is pinned, the login is accepted, {listed}; {shown.offer.summary}"


def _upload() -> str:
    raise _Untried("It would leave a file with the partner; the first delivery tries it.")
