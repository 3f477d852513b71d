"""gpg's home directory and process for one run: private, and removed afterwards however the run ends.

python-gnupg drives the installed gpg; what it does not offer, a process that can be ended, is added here. What gpg
says is read in `status`.
"""

from __future__ import annotations

import copy
import fcntl
import logging
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, ClassVar, Final

import gnupg

from pipeline.errors import SealFailed
from pipeline.streams.background import PREFIX

# python-gnupg logs tracebacks of its threads; the same errors reach the pipeline in order, without contents.
logging.getLogger("gnupg").setLevel(logging.CRITICAL)

ANSWER_SECONDS: Final = 8.0
"""Longest that gpg may take over a key: importing, listing or making one is a matter of milliseconds."""

CLEANING_SECONDS: Final = 5.0

OPTIONS: Final = ["--no-auto-key-locate", "--no-tty", "--quiet", "--with-secret"]
"""The last: a listing of public keys says which private halves are here, so that one listing tells all."""

PIPE: Final = 1 << 20
"""Bytes that may wait between us and a streaming gpg; Linux grants no more to everybody (pipe(7), pipe-max-size)."""

_CLEANER: Final = """
read -r _
for _ in 1 2 3 4 5 6 7 8 9 10; do
    [ -d "$1" ] || exit 0
    gpgconf --homedir "$1" --kill gpg-agent 2>/dev/null
    rm -rf -- "$1" && exit 0
    sleep 0.3
done
"""
"""Waits for the end of its input, which comes when this process closes it, exits or is killed, and then cleans up what
is left: a gpg that is just dying may still write into it. It is started before the directory is made, so that none
exists without a process that will remove it. gpg starts only its agent here."""


def cleaner_of(home: Path) -> list[str]:
    """The command that removes a home, if it is there, when its input ends."""
    return ["/bin/sh", "-c", _CLEANER, "sh", str(home)]


@contextmanager
def gnupghome() -> Iterator[Path]:
    """A new directory that only this user may enter; gpg's agent and the directory are removed when the block ends.

    A small child process cleans up when its standard input ends, so it does after a SIGKILL too. Raises SealFailed
    where gpg is not installed, or no directory can be made.
    """
    if shutil.which("gpg") is None or shutil.which("gpgconf") is None:
        raise SealFailed(
            "gpg is not installed. Deploy with the Cloud Functions v2 API, whose image has it, or install it: "
            "sudo apt-get install --no-install-recommends gnupg."
        )
    home = Path(tempfile.gettempdir()) / f"pspp-gpg-{secrets.token_hex(6)}"
    cleaner = subprocess.Popen(
        cleaner_of(home),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert cleaner.stdin is not None
    try:
        try:
            home.mkdir(0o700)
            # Else each new agent first measures how much hashing takes 100 ms; this home lives for one run only.
            (home / "gpg-agent.conf").write_text("s2k-count 65536\ndisable-scdaemon\n")
        except OSError:
            raise SealFailed(
                f"gpg's home cannot be made in {tempfile.gettempdir()}; is it full, or not writable?"
            ) from None
        yield home
    finally:
        if _ended_agent(home):
            shutil.rmtree(home, ignore_errors=True)
        cleaner.stdin.close()
        try:
            cleaner.wait(CLEANING_SECONDS)
        except subprocess.TimeoutExpired:
            cleaner.kill()
            cleaner.wait()
        shutil.rmtree(home, ignore_errors=True)


def _ended_agent(home: Path) -> bool:
    """Whether gpg's agent was asked to end and said that it does; where it is not here, the cleaner looks for it."""
    try:
        with socket.socket(socket.AF_UNIX) as agent:
            agent.settimeout(CLEANING_SECONDS)
            agent.connect(str(home / "S.gpg-agent"))
            with agent.makefile("rwb", 0) as lines:
                greeting = lines.readline()
                lines.write(b"KILLAGENT\n")
                return greeting.startswith(b"OK") and lines.readline().startswith(b"OK")
    except OSError:
        return False


class Gpg(gnupg.GPG):  # type: ignore[misc]  # python-gnupg has no types
    """python-gnupg on one home; its process can be killed, and does not hang.

    Every call may take ANSWER_SECONDS; after that gpg is killed and SealFailed raised. A copy made by `for_a_stream`
    has no such limit: its user calls `kill`.
    """

    _known: ClassVar[Gpg | None] = None
    """The first one of the process: what the others have in common with it."""

    def __init__(self, home: Path, buffer_size: int = 1 << 18) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._streaming = False
        self.result: Any = None
        """What python-gnupg says of the last call, even where its method raised an error."""
        if Gpg._known is None:
            try:
                super().__init__(gnupghome=str(home), options=OPTIONS)
            except (OSError, ValueError):
                raise SealFailed("gpg does not start as it should: it cannot tell its version.") from None
            self.buffer_size = buffer_size
            Gpg._known = copy.copy(self)
        else:  # python-gnupg would start gpg once more, to ask for its version
            self.__dict__.update({**vars(Gpg._known), "gnupghome": str(home), "buffer_size": buffer_size})
            self._process = None
            self.result = None

    def for_a_stream(self) -> Gpg:
        """A copy on the same home for one stream, with an `on_data` and a process of its own."""
        made = copy.copy(self)
        made._process = None
        made._streaming = True
        return made

    def _open_subprocess(self, args: list[str], passphrase: bool = False) -> subprocess.Popen[bytes]:
        process: subprocess.Popen[bytes] = super()._open_subprocess(args, passphrase)
        self._process = process
        if self._streaming:
            for pipe in (process.stdin, process.stdout):
                _widen(pipe)
        return process

    def _collect_output(
        self,
        process: subprocess.Popen[bytes],
        result: Any,
        writer: threading.Thread | None = None,
        stdin: IO[bytes] | None = None,
    ) -> Any:
        self.result = result
        if writer is not None:
            writer.name = f"{PREFIX}gpg-input"
        if self._streaming:
            return super()._collect_output(process, result, writer, stdin)
        limit = threading.Timer(ANSWER_SECONDS, process.kill)
        limit.name = f"{PREFIX}gpg-limit"
        limit.daemon = True
        limit.start()
        try:
            returned = super()._collect_output(process, result, writer, stdin)
        finally:
            limit.cancel()
            limit.join()
        if process.returncode == -signal.SIGKILL:
            raise SealFailed(f"gpg was asked about keys and did not answer within {ANSWER_SECONDS:g} s.")
        return returned

    def _read_response(self, *rest: Any) -> None:
        threading.current_thread().name = f"{PREFIX}gpg-status"
        super()._read_response(*rest)

    def _read_data(self, *rest: Any) -> None:
        threading.current_thread().name = f"{PREFIX}gpg-output"
        super()._read_data(*rest)

    def kill(self) -> None:
        """Kill the running gpg: it must never complete a file whose source failed."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()


def _widen(pipe: IO[bytes] | None) -> None:
    """Enlarge a pipe's buffer: with 64 KiB, waking up for each filling takes a twelfth of a delivery's time."""
    if pipe is not None:
        with suppress(OSError):  # above the user's limit; the pipe works with its default size too
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE)
