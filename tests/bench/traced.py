"""main.py, with every request and every process that it starts noted in the file that SPANS names, a JSON line each.

Nothing that is carried out changes: calls of the client libraries are timed from the outside.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import asyncssh
from asyncssh import sftp
from asyncssh.sftp import SFTPClientHandler
from google.cloud.bigquery_storage_v1 import BigQueryReadClient
from google.cloud.secretmanager import SecretManagerServiceClient
from requests.adapters import HTTPAdapter

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from main import handle as handle  # the repository is on the path only now
from tests.bench.naming import named

SPANS: Final = Path(os.environ["SPANS"])
_writing = threading.Lock()


def note(service: str, what: str, began: float) -> None:
    """Write down what ends now; seconds of the wall clock, which events have too."""
    line = json.dumps({"service": service, "what": what, "began": began, "ended": time.time()})
    with _writing, SPANS.open("a") as file:
        file.write(line + "\n")


def _timed(owner: Any, name: str, describe: Callable[..., tuple[str, str]]) -> None:
    """Note every call of a method; `describe` tells service and what from its arguments."""
    call = getattr(owner, name)

    @functools.wraps(call)
    def timed(*arguments: Any, **options: Any) -> Any:
        began = time.time()
        try:
            return call(*arguments, **options)
        finally:
            note(*describe(*arguments, **options), began)

    setattr(owner, name, timed)


def _timed_in_loop(owner: Any, name: str, describe: Callable[..., tuple[str, str]]) -> None:
    """As `_timed`, for a coroutine."""
    call = getattr(owner, name)

    @functools.wraps(call)
    async def timed(*arguments: Any, **options: Any) -> Any:
        began = time.time()
        try:
            return await call(*arguments, **options)
        finally:
            note(*describe(*arguments, **options), began)

    setattr(owner, name, timed)


def _watch_processes() -> None:
    start, wait = subprocess.Popen.__init__, subprocess.Popen.wait
    begun: dict[int, tuple[float, str]] = {}

    @functools.wraps(start)
    def started(process: Any, args: Any, *rest: Any, **options: Any) -> None:
        began = time.time()
        start(process, args, *rest, **options)
        words = [str(word) for word in args]
        command = next((word for word in words if word.startswith("--") and word[2:] in GPG), words[0])
        begun[process.pid] = (began, command.rpartition("/")[2])

    @functools.wraps(wait)
    def waited(process: Any, *rest: Any, **options: Any) -> Any:
        code = wait(process, *rest, **options)
        if (known := begun.pop(process.pid, None)) is not None:
            note("gpg", known[1], known[0])
        return code

    process: Any = subprocess.Popen
    process.__init__, process.wait = started, waited


GPG: Final = frozenset(
    ("import", "list-keys", "list-secret-keys", "encrypt", "decrypt", "sign", "detach-sign", "gen-key", "export")
) | {"version", "export-secret-keys", "batch", "full-generate-key"}

REQUESTS: Final = {
    value: name.removeprefix("FXP_").lower() for name, value in vars(sftp).items() if name.startswith("FXP_")
}

_timed(HTTPAdapter, "send", lambda _, request, *__, **___: named(request))
_timed(SecretManagerServiceClient, "access_secret_version", lambda *_, name, **__: ("secrets", name.split("/")[3]))
_timed(BigQueryReadClient, "create_read_session", lambda *_, **__: ("bigquery", "create read session"))
_timed(BigQueryReadClient, "read_rows", lambda *_, **__: ("bigquery", "read rows"))
_timed_in_loop(asyncssh, "connect", lambda *_, **__: ("partner", "connect"))
_timed_in_loop(SFTPClientHandler, "_make_request", lambda _, kind, *__: ("partner", REQUESTS.get(kind, str(kind))))
_watch_processes()
