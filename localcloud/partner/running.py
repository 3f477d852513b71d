"""Start the partner's server for a test, with keys of its own, and end it afterwards."""

import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import asyncssh

from localcloud.keys import SshKey, host_key_line, ssh_key
from localcloud.partner import faults, journal
from localcloud.processes import start


@dataclass(frozen=True, slots=True)
class Running:
    """A server that is ready. `directory` holds root, log, faults.json, host_key, client_key and authorized_keys."""

    process: "subprocess.Popen[bytes]"
    directory: Path
    host: str
    port: int
    user: str
    host_key: SshKey
    client_key: SshKey

    @property
    def root(self) -> Path:
        """Where files land."""
        return self.directory / "root"

    @property
    def known_hosts(self) -> str:
        """The line that pins the host key."""
        return host_key_line(self.host, self.port, self.host_key.public)

    def order(self, *orders: faults.Fault) -> None:
        """Replace the faults that the server has in store."""
        faults.order(self.directory / "faults.json", *orders)

    def entries(self) -> list[journal.Entry]:
        """Return what clients asked so far (aws profile)."""
        return journal.entries(self.directory / "log")

    @asynccontextmanager
    async def connection(self, **options: object) -> AsyncIterator[asyncssh.SSHClientConnection]:
        """Connect with asyncssh, which pins the host key; `options` go to `asyncssh.connect`."""
        known: dict[str, object] = {
            "username": self.user,
            "known_hosts": self.known_hosts.encode(),
            "client_keys": [asyncssh.import_private_key(self.client_key.private)],
            "config": None,
            "agent_path": None,
        }
        async with asyncssh.connect(self.host, self.port, **(known | options)) as connection:
            yield connection

    @asynccontextmanager
    async def client(self) -> AsyncIterator[asyncssh.SFTPClient]:
        """Open an SFTP session with asyncssh."""
        async with self.connection() as connection, connection.start_sftp_client() as sftp:
            yield sftp

    def sftp(self, *commands: str) -> "subprocess.CompletedProcess[str]":
        """Run OpenSSH's own sftp with `commands`; it stops at the first that fails."""
        (self.directory / "known_hosts").write_text(self.known_hosts + "\n")
        options = {
            "IdentityFile": "client_key",
            "IdentitiesOnly": "yes",
            "UserKnownHostsFile": "known_hosts",
            "StrictHostKeyChecking": "yes",
            "Port": self.port,
        }
        given = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        command = ["sftp", "-F", "none", "-b", "-", *given, f"{self.user}@{self.host}"]
        return subprocess.run(
            command, input="\n".join(commands), cwd=self.directory, capture_output=True, text=True, timeout=60
        )


@contextmanager
def running(directory: Path, profile: Literal["aws", "openssh"], *arguments: str) -> Iterator[Running]:
    """Run `python -m localcloud.partner` with files in `directory` and further `arguments` until the block ends.

    What it says on stderr is in `directory/partner.log`. Raises NotReady.
    """
    host_key, client_key = ssh_key(), ssh_key()
    (directory / "host_key").write_bytes(host_key.private)
    (directory / "authorized_keys").write_bytes(client_key.public + b"\n")
    identity = directory / "client_key"
    identity.touch(mode=0o600)
    identity.write_bytes(client_key.private)
    places = {"root": "root", "host-key": "host_key", "authorized-keys": "authorized_keys", "log": "log"}
    if profile == "aws":
        places["faults-file"] = "faults.json"
    given = [word for option, name in places.items() for word in (f"--{option}", str(directory / name))]
    service = start("localcloud.partner", "--profile", profile, *given, *arguments, logs=directory)
    ready = service.ready
    with service.process:
        try:
            yield Running(service.process, directory, ready["host"], ready["port"], ready["user"], host_key, client_key)
        finally:
            service.stop()


async def put(sftp: asyncssh.SFTPClient, name: str, content: bytes) -> None:
    """Write a whole file."""
    async with sftp.open(name, "wb") as file:
        await file.write(content)


async def get(sftp: asyncssh.SFTPClient, name: str) -> bytes:
    """Read a whole file."""
    async with sftp.open(name, "rb") as file:
        return await file.read()
