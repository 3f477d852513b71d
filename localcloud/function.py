"""The deployed code, served as it is in the cloud: functions-framework on gunicorn, in a process of its own."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from localcloud.processes import NotReady, environment, repository, tail
from pipeline.settings import Settings

READY_SECONDS: Final = 60.0
CLOUD_VARIABLES: Final = tuple(name.upper() for name in Settings.model_fields)


@dataclass
class Function:
    """One server process with `workers` instances of the function, each taking one request at a time."""

    settings: Mapping[str, str]
    log: Path
    workers: int = 1
    source: Path = field(default_factory=lambda: repository() / "main.py")
    python: str = sys.executable
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> Function:
        """Start and wait until it answers. Raises NotReady with the end of its log."""
        self.port = self.port or _free_port()
        values = {
            **self.settings,
            "WORKERS": str(self.workers),
            "FUNCTION_SIGNATURE_TYPE": "http",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        server = Path(__file__).with_name("served.py")
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [self.python, "-P", str(server), str(self.source), "127.0.0.1", str(self.port)],
                env=environment(values, without=CLOUD_VARIABLES),
                stdout=output,
                stderr=output,
                cwd=self.source.parent,
                start_new_session=True,
            )
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            if _answers(self.port):
                return self
            time.sleep(0.02)
        self.stop()
        raise NotReady(f"The function did not come up:\n{tail(self.log)}")

    @property
    def url(self) -> str:
        """Where events are posted."""
        return f"http://127.0.0.1:{self.port}/"

    def events(self) -> Iterator[dict[str, Any]]:
        """Every structured event that the function has logged so far."""
        for line in self.log.read_text(errors="replace").splitlines():
            if line.startswith("{"):
                event = json.loads(line)
                if "event" in event:
                    yield event

    def freeze(self) -> None:
        """Stop the server, its instances and what they started, in whatever they do, as a throttled instance is."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let all of them go on."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL to the server and all its instances, as the platform may do."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, 9)
            self.process.wait()

    def stop(self) -> None:
        """End it in order."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/robots.txt")
        connection.getresponse().read()
    except OSError:
        return False
    finally:
        connection.close()
    return True
