"""gpg's home directory and process for one run: private, and removed afterwards however the run ends.

python-gnupg drives the installed gpg; what it does not offer, a process that can be ended, is added here. What gpg
says is read in `status`.
"""

from __future__ import annotations

import copy
import fcntl
import logging
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final

import gnupg

from pipeline.errors import SealFailed
from pipeline.streams.background import PREFIX

# python-gnupg logs tracebacks of its threads; the same errors reach the pipeline in order, without contents.
logging.getLogger("gnupg").setLevel(logging.CRITICAL)

ANSWER_SECONDS: Final = 8.0
"""Longest that gpg may take over a key: importing, listing or making one is a matter of milliseconds."""

CLEANING_SECONDS: Final = 5.0

PIPE: Final = 1 << 20
"""Bytes that may wait between us and a streaming gpg; Linux grants no more to everybody (pipe(7), pipe-max-size)."""

_CLEANER: Final = """
trap '' PIPE
home=$(mktemp -d "$1/pspp-gpg-XXXXXXXX") || exit 1
echo "$home"
read -r _
for _ in 1 2 3 4 5 6 7 8 9 10; do
    gpgconf --homedir "$home" --kill gpg-agent 2>/dev/null
    rm -rf -- "$home" && exit 0
    sleep 0.3
done
"""
"""Makes the directory, waits for the end of its input, which comes when this process closes it, exits or is killed, and
then cleans up. So no directory ever exists without a process that will remove it: nobody needs to read its name, and a
gpg that is just dying may still write into it. gpg starts only its agent here."""


def cleaner_of(directory: Path) -> list[str]:
    """The command that makes a home in the directory, says its name, and removes it when its input ends."""
    return ["/bin/sh", "-c", _CLEANER, "sh", str(directory)]


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
    cleaner = subprocess.Popen(
        cleaner_of(Path(tempfile.gettempdir())),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert cleaner.stdin is not None
    assert cleaner.stdout is not None
    made = cleaner.stdout.readline().decode().rstrip("\n")
    if not made:  # an empty path would be the working directory, and removed in the end
        cleaner.communicate()
        raise SealFailed(f"gpg's home cannot be made in {tempfile.gettempdir()}; is it full, or not writable?")
    home = Path(made)
    try:
        # Else each new agent first measures how much hashing takes 100 ms; this home lives for one run only.
        (home / "gpg-agent.conf").write_text("s2k-count 65536\n")
        yield home
    finally:
        cleaner.stdin.close()
        cleaner.stdout.close()
        try:
            cleaner.wait(CLEANING_SECONDS)
        except subprocess.TimeoutExpired:
            cleaner.kill()
            cleaner.wait()
        shutil.rmtree(home, ignore_errors=True)


class Gpg(gnupg.GPG):  # type: ignore[misc]  # python-gnupg has no types
    """python-gnupg on one home; its process can be killed, and does not hang.

    Every call may take ANSWER_SECONDS; after that gpg is killed and SealFailed raised. A copy made by `for_a_stream`
    has no such limit: its user calls `kill`.
    """

    def __init__(self, home: Path, buffer_size: int = 1 << 18) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._streaming = False
        self.result: Any = None
        """What python-gnupg says of the last call, even where its method raised an error."""
        try:
            super().__init__(gnupghome=str(home), options=["--no-auto-key-locate", "--no-tty", "--quiet"])
        except (OSError, ValueError):
            raise SealFailed("gpg does not start as it should: it cannot tell its version.") from None
        self.buffer_size = buffer_size

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
