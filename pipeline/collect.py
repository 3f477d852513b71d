"""Collect: fetch what the partner returned (errors, acknowledgements), archive it, open it, match it, tell it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pipeline import log
from pipeline.clients import directory
from pipeline.clients.directory import Listed
from pipeline.clients.ssh import Server
from pipeline.errors import PartnerRefused
from pipeline.pgp.keyring import Keyring, keyring
from pipeline.pgp.status import Decryption, SignatureState
from pipeline.records.schema import Returned
from pipeline.run import Run

MOST: Final = 64 * 1024 * 1024
"""Bytes of the largest file that is fetched; errors and acknowledgements are far smaller."""

_DOUBTS: Final[dict[SignatureState, str]] = {
    "unknown signer": "by a key that is not known",
    "revoked signer": "by a key that is revoked",
    "expired signer": "by a key that has expired",
    "expired": "has expired",
}
"""What a record says of a signature that is not good."""


@dataclass(frozen=True, slots=True)
class _Content:
    """A returned file opened: its content where it was encrypted to us, and what is known of its signature."""

    opened: bytes | None
    signature: str


@dataclass(frozen=True, slots=True)
class _About:
    """The delivery whose file name stands in the returned file's name."""

    dataset: str
    start: datetime
    revision: int


def collect(run: Run) -> list[Returned]:
    """Fetch every file that was not fetched before; nothing where no returns server is set.

    A file is archived before it is recorded, and recorded before it is deleted at the partner (where the settings ask
    for that at all). One that is still growing is left for the next run; one that cannot be fetched is told of, and
    stops no other. Raises PartnerUnavailable, PartnerUntrusted, KeyUnusable, ArchiveUnavailable, OutOfTime; what was
    collected until then stays.
    """
    collected: list[Returned] = []
    with run.stage("collect") as figures:
        server = run.returns()
        if server is not None:
            new = [file for file in _listed(server, run) if not _recorded(file, run)]
            if new:
                with keyring(run.settings, run.credentials) as keys:
                    collected = [one for file in new if (one := _collected(file, server, keys, run)) is not None]
            if run.settings.returns_delete:
                # Listed anew: what was replaced while the others were fetched is another file, not fetched yet.
                for file in _listed(server, run):
                    if _recorded(file, run):
                        remove(server, file.name)
        figures.add(files=len(collected), errors=sum(one.error for one in collected))
    return collected


def _listed(server: Server, run: Run) -> list[Listed]:
    found = directory.listing(server)
    if found is None:
        raise PartnerRefused("The returns server does not let us list its files; the partner must permit it.")
    return [file for file in found if not file.name.startswith(".")]


def _recorded(file: Listed, run: Run) -> bool:
    return run.records.returned(file.name, file.size, file.modified) is not None


def _collected(file: Listed, server: Server, keys: Keyring, run: Run) -> Returned | None:
    """The record of the file; None where it could not be had whole."""
    try:
        raw = fetch(server, file.name)
    except PartnerRefused as error:
        log.emit("returns.error", error.message, file=file.name, bytes=file.size, code=error.code)
        return None
    if len(raw) != file.size:
        return None
    folder = f"returns/{run.now():%Y/%m/%d}/{run.attempt}"
    content = _opened(raw, keys)
    about = _about(file.name, run)
    record = Returned(
        file_name=file.name,
        size=file.size,
        modified=file.modified,
        archived=run.archive.write(f"{folder}/{file.name}", [raw]),
        opened=None if content.opened is None else run.archive.write(f"{folder}/{file.name}.opened", [content.opened]),
        signature=content.signature,
        error=re.search(run.settings.returns_error_pattern, file.name) is not None,
        dataset=about.dataset if about else None,
        start=about.start if about else None,
        revision=about.revision if about else None,
    )
    if run.records.add_returned(record):
        log.emit(
            "returns.error" if record.error else "returns.received",
            None,
            file=file.name,
            bytes=file.size,
            dataset=record.dataset,
            window_start=record.start.isoformat() if record.start else None,
            revision=record.revision,
            signature=record.signature,
        )
    return record


def _opened(raw: bytes, keys: Keyring) -> _Content:
    """The content of an OpenPGP message to us; a plain file has none of its own."""
    armored = b"-----BEGIN PGP MESSAGE-----" in raw[:1000]
    if not armored and not (raw[:1] and raw[0] & 0x80 and _text(raw) is None):
        return _Content(None, "not encrypted")
    result = keys.gpg.decrypt(raw, passphrase=keys.passphrase, always_trust=True)
    message = Decryption.of(result.returncode, result.stderr)
    if any(signature.state == "bad" for signature in message.signatures):
        return _Content(None, "bad, so it was not opened")
    if not message.decrypted:
        return _Content(None, "encrypted, but not to a key of ours")
    if not message.intact:
        return _Content(None, "damaged")
    return _Content(bytes(result.data), _signature(message, keys))


def _signature(message: Decryption, keys: Keyring) -> str:
    """What is known of the signature, in words."""
    for signature in message.signatures:
        if signature.state in _DOUBTS:
            return _DOUBTS[signature.state]
    if message.signer is None:
        return "none"
    return "good, by the partner" if message.signer in keys.partner.signers else f"good, by {message.signer}"


def _text(raw: bytes) -> str | None:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _about(name: str, run: Run) -> _About | None:
    for dataset in run.contracts.every():
        if (found := dataset.recognise(name)) is not None:
            return _About(dataset.name, found[0], found[1])
    return None


def fetch(server: Server, name: str) -> bytes:
    with directory.directory(server) as opened:
        content = opened.read(name, MOST + 1, server.budget.left())
    if len(content) > MOST:
        raise PartnerRefused(f"The returned file {name} is larger than {MOST} bytes; fetch it by hand.")
    return content


def remove(server: Server, name: str) -> None:
    with directory.directory(server) as opened:
        opened.remove(name)
