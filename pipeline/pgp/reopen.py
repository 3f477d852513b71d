"""Decrypt a sealed stream while it is being archived, as the partner will: proof that it can be read, and is signed.

A second gpg opens it with the private half of a throw-away key that is made for this run, and compares the signature
with our public key. The stream is encrypted to the partner and to the throw-away key, whose packet must be there; it is
removed from what is archived and sent, so that the partner's file has one recipient.

python-gnupg pushes gpg's output to a callback, so it runs in a background thread; the sealed chunks go there through a
short queue. The result is judged when the stream has ended.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from pipeline.budget import Budget
from pipeline.errors import OpenedDiffers, PipelineError
from pipeline.pgp.home import Gpg
from pipeline.pgp.keyring import Keyring
from pipeline.pgp.status import Decryption
from pipeline.records.schema import Opened
from pipeline.streams import background
from pipeline.streams.digest import Tally

QUEUED: Final = 16


class Opener:
    """Decrypts one sealed stream. `recipient`, the throw-away key's fingerprint, must be among its recipients."""

    def __init__(self, gpg: Gpg, recipient: str, key_ids: frozenset[str], budget: Budget) -> None:
        self.recipient = recipient
        self.key_ids = key_ids
        self._gpg = gpg
        self._budget = budget
        self._tally = Tally()
        self._input: queue.Queue[bytes | None] = queue.Queue(QUEUED)
        self._outcome: list[Decryption | BaseException] = []
        self._thread: threading.Thread | None = None

    def decrypting(self, chunks: Iterable[bytes]) -> Generator[bytes, None, None]:
        """Yield the same chunks, decrypting each; ends once gpg has read all. Raises OutOfTime, OpenedDiffers."""
        thread = self._thread = background.start("reopen", self._work)
        try:
            for chunk in chunks:
                self._give(chunk)
                yield chunk
            self._give(None)
            thread.join(self._budget.left())
            self._budget.left()
        finally:
            self.close()

    def plaintext(self, signers: tuple[str, ...]) -> Opened:
        """What was decrypted; it must be signed by one of `signers`, or unsigned where there are none.

        Raises OpenedDiffers with the reason.
        """
        outcome = self._outcome[0] if self._outcome else None
        if isinstance(outcome, PipelineError):
            raise outcome
        if not isinstance(outcome, Decryption):
            raise OpenedDiffers(f"The sealed file could not be opened again: {type(outcome).__name__}.")
        if problem := outcome.problem(signers):
            raise OpenedDiffers(
                f"gpg does not open the sealed file as the partner would: {problem}. It returned {outcome.returncode} "
                f"{', '.join(outcome.failures) or 'without a failure'}; signed by {outcome.signer or 'nobody'}, "
                f"{' or '.join(signers) or 'nobody'} was expected."
            )
        return Opened(self._tally.sha256, self._tally.bytes, outcome.signer)

    def close(self) -> None:
        """End gpg and the background thread at once."""
        if self._thread is not None and self._thread.is_alive():
            self._gpg.kill()
            while self._thread.is_alive():
                self._drain()
                self._thread.join(0.01)

    def read(self, _size: int) -> bytes:
        """The next sealed chunk; python-gnupg calls it."""
        return self._input.get() or b""

    def _give(self, chunk: bytes | None) -> None:
        while True:
            try:
                self._input.put(chunk, timeout=min(1.0, self._budget.left()))
            except queue.Full:
                if self._outcome:  # gpg stopped reading; the outcome says why
                    return
            else:
                return

    def _drain(self) -> None:
        try:
            while True:
                self._input.get_nowait()
        except queue.Empty:
            try:
                self._input.put_nowait(None)
            except queue.Full:
                return

    def _took(self, piece: bytes) -> bool:
        self._tally.add(piece)
        return False

    def _work(self) -> None:
        self._gpg.on_data = self._took
        try:
            result = self._gpg.decrypt_file(self, always_trust=True)
            self._outcome.append(Decryption.of(result.returncode, result.stderr))
        except Exception as error:  # noqa: BLE001  # raised by `plaintext`
            self._outcome.append(error)


@contextmanager
def opening(keys: Keyring, budget: Budget) -> Iterator[Opener]:
    """An opener with a throw-away key of its own, in the home of the keys. Raises SealFailed, OpenedDiffers."""
    gpg = keys.gpg.for_a_stream()
    made = keys.gpg.gen_key(
        keys.gpg.gen_key_input(
            key_type="EDDSA",
            key_curve="ed25519",
            key_usage="sign",
            subkey_type="ECDH",
            subkey_curve="cv25519",
            subkey_usage="encrypt",
            name_real="opened again",
            name_email="throw-away@invalid",
            expire_date="1d",
            no_protection=True,
        )
    )
    if not made.fingerprint:
        raise OpenedDiffers("gpg could not make the throw-away key that opens the sealed file again.")
    listed = keys.gpg.list_keys(keys=made.fingerprint)[0]
    key_ids = frozenset(str(keyid).upper() for keyid in (listed["keyid"], *listed["subkey_info"]))
    ready = Opener(gpg, made.fingerprint, key_ids, budget)
    try:
        yield ready
    finally:
        ready.close()
