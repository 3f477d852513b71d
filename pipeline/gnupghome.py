"""gpg's home directory for one run: private, short-lived, and gone afterwards however the run ends.

python-gnupg drives the installed gpg. What it does not say (status lines, the process itself) is read here once, so
that `keyring`, `seal` and `reopen` need not know its inside.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import gnupg

from pipeline.errors import SealFailed

# python-gnupg logs tracebacks of its threads; the same errors reach the pipeline in order, without contents.
logging.getLogger("gnupg").setLevel(logging.CRITICAL)

_CLEANER: Final = 'read -r _; gpgconf --homedir "$1" --kill all 2>/dev/null; rm -rf -- "$1"'
"""Waits for the end of its input, which comes when this process closes it, exits or is killed; then cleans up."""


@contextmanager
def gnupghome() -> Iterator[Path]:
    """A fresh directory that only this user may enter; agent and directory are gone when the block ends.

    The cleaning is done by a small child that waits for its standard input to end, so it happens on SIGKILL as well.
    Raises SealFailed where gpg is not installed.
    """
    if shutil.which("gpg") is None or shutil.which("gpgconf") is None:
        raise SealFailed(
            "gpg is not installed. Deploy with the Cloud Functions v2 API, whose image has it, or install it: "
            "sudo apt-get install --no-install-recommends gnupg."
        )
    home = Path(tempfile.mkdtemp(prefix="pspp-gpg-"))
    # Else every new agent first measures how much hashing is bearable; the home outlives no run, so little will do.
    (home / "gpg-agent.conf").write_text("s2k-count 65536\n")
    cleaner = subprocess.Popen(
        ["/bin/sh", "-c", _CLEANER, "sh", str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert cleaner.stdin is not None
    try:
        yield home
    finally:
        cleaner.stdin.close()
        cleaner.wait()
        shutil.rmtree(home, ignore_errors=True)


class Gpg(gnupg.GPG):  # type: ignore[misc]  # python-gnupg has no types
    """python-gnupg on one home, whose running process can be ended."""

    def __init__(self, home: Path, buffer_size: int = 1 << 18) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        super().__init__(gnupghome=str(home), options=["--no-auto-key-locate", "--no-tty", "--quiet"])
        self.buffer_size = buffer_size

    def _open_subprocess(self, args: list[str], passphrase: bool = False) -> subprocess.Popen[bytes]:
        process: subprocess.Popen[bytes] = super()._open_subprocess(args, passphrase)
        self._process = process
        return process

    def kill(self) -> None:
        """End the running gpg at once: it must never complete a file over a source that died."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()


def status(stderr: str) -> list[list[str]]:
    """gpg's machine-readable status lines, each cut into words, in order."""
    return [line.split()[1:] for line in stderr.splitlines() if line.startswith("[GNUPG:] ")]
