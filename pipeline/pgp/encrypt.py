"""Sign and encrypt a stream with gpg: an iterator of bytes in, an iterator of sealed bytes out.

python-gnupg pulls its input and pushes its output, so it runs in a background thread with a short queue for the output;
the last entry of the queue is gpg's result or an error. gpg takes the end of its input for a complete file, and signs a
truncated one: so when the source fails, gpg is killed before its input ends, and the sealed stream raises. Truncation
always raises; it never looks like a normal end.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from contextvars import copy_context
from typing import Final

from pipeline.budget import Budget
from pipeline.errors import PipelineError, SealFailed
from pipeline.pgp.home import Gpg
from pipeline.pgp.keyring import Keyring, options
from pipeline.pgp.status import Encryption
from pipeline.streams import background

QUEUED: Final = 16
"""Pieces of sealed output that may wait; with pieces of 256 KiB that is 4 MiB."""


class _Source:
    """The chunks as the file that python-gnupg reads from; an error of theirs kills gpg before it can finish."""

    def __init__(self, chunks: Iterator[bytes], gpg: Gpg) -> None:
        self._chunks = chunks
        self._gpg = gpg
        self._lock = threading.Lock()
        self._stopped = False
        self._labels = copy_context()  # python-gnupg reads in a thread of its own
        self.error: BaseException | None = None
        self.bytes = 0

    def read(self, _size: int) -> bytes:
        with self._lock:
            try:
                if self._stopped:
                    raise SealFailed("The sealed stream was abandoned before its end.")
                chunk = self._labels.run(next, (chunk for chunk in self._chunks if chunk), b"")
            except BaseException as error:  # noqa: BLE001  # raised in the consumer's thread; gpg would wait for ever
                self.error = error
                self._gpg.kill()
                raise SealFailed("The source of the sealed stream failed.") from None
            self.bytes += len(chunk)
            return chunk

    def stop(self) -> None:
        """Refuse to read further chunks, wait for a read in progress, and close the chunks."""
        self._stopped = True
        self._gpg.kill()
        with self._lock:
            close = getattr(self._chunks, "close", None)
            if close is not None:
                close()


def encrypt(  # noqa: C901  # its two nested functions count
    chunks: Iterator[bytes], keys: Keyring, *, compression: str, budget: Budget, extra: tuple[str, ...] = ()
) -> Generator[bytes, None, None]:
    """Yield the chunks as one OpenPGP message to the partner and to `extra` fingerprints, signed with `keys.signing`.

    Ends only when gpg returned 0, created the signature with the expected key, and encrypted with AES-256 and
    integrity protection (MDC). Raises SealFailed, OutOfTime, or whatever `chunks` raises. However it ends, gpg, the
    thread and `chunks` are closed when this iterator is.
    """
    gpg = keys.gpg.for_a_stream()
    source = _Source(iter(chunks), gpg)
    output: queue.Queue[bytes | Encryption | BaseException] = queue.Queue(QUEUED)

    def give(piece: bytes) -> bool:
        if piece:
            output.put(piece)
        return False

    def work() -> None:
        try:
            gpg.on_data = give
            result = gpg.encrypt_file(
                source,
                [keys.partner.fingerprint, *extra],
                sign=f"{keys.signing.in_use}!" if keys.signing else None,
                passphrase=keys.passphrase or None,
                always_trust=True,
                armor=False,
                extra_args=options(compression, keys.signing.digest if keys.signing else keys.partner.digest),
            )
            output.put(Encryption.of(result.returncode, result.stderr))
        except BaseException as error:  # noqa: BLE001  # raised in the consumer's thread
            output.put(error)

    thread = background.start("encrypt", work)
    last: Encryption | BaseException | None = None
    try:
        while last is None:
            try:
                piece = output.get(timeout=budget.left())
            except queue.Empty:
                continue
            if isinstance(piece, bytes):
                yield piece
            else:
                last = piece
        if source.error is not None:
            raise source.error
        if isinstance(last, PipelineError):
            raise last
        if not isinstance(last, Encryption):
            raise SealFailed(f"gpg broke off: {type(last).__name__}.") from None
        if problem := last.problem(keys.signing.signers if keys.signing else ()):
            raise SealFailed(problem)
    finally:
        try:
            source.stop()  # closing the source may raise: an upload that is broken off, with no time left
        finally:
            while last is None:
                piece = output.get()
                last = None if isinstance(piece, bytes) else piece
            thread.join()
