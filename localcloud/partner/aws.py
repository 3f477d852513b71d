"""AWS Transfer Family at the SSH level: its banner, its algorithms, keys alone; SFTP version 3 without extensions.

Sources: AWS Transfer Family user guide, "Security policies for AWS Transfer Family servers"
(TransferSecurityPolicy-2024-01) and "Transferring files over a server endpoint using a client"; the banner as servers
in the field send it.

Not copied from the real server: its post-quantum key exchange, its ten sessions a connection, its idle timeouts.
"""

import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path

import asyncssh

from localcloud.partner.bucket import Bucket
from localcloud.partner.faults import Faults
from localcloud.partner.journal import Entry, Journal
from localcloud.partner.listener import Serve
from localcloud.partner.protocol import install
from localcloud.partner.session import Session

_CIPHERS = ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr"]
_MACS = ["hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com"]
_KEX = [
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group18-sha512",
    "diffie-hellman-group-exchange-sha256",
]


class Door(asyncssh.SSHServer):
    """Admits `user` with a key of `authorized_keys`, which is read at every attempt, so that keys can be rotated."""

    def __init__(self, user: str, authorized_keys: Path, faults: Faults, journal: Journal) -> None:
        self._user = user
        self._authorized_keys = authorized_keys
        self._faults = faults
        self._journal = journal

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Remember the connection, for faults that cut it."""
        self._connection = conn

    def public_key_auth_supported(self) -> bool:
        """Offer public keys, and nothing else."""
        return True

    async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Tell whether this user may come in with this key."""
        fault = self._faults.due("auth")
        if fault is not None and fault.action == "hang":
            await self._connection.wait_closed()
        elif fault is not None and fault.action == "drop":
            self._connection.abort()
        known = asyncssh.read_authorized_keys(str(self._authorized_keys))
        admitted = fault is None and username == self._user and known.validate(key, "", "") is not None
        self._journal.add(Entry("auth", username, answer="ok" if admitted else "permission denied"))
        return admitted


def aws_server(
    bucket: Bucket,
    user: str,
    host_key: Path,
    authorized_keys: Path,
    faults: Faults,
    journal: Journal,
    denied: frozenset[str],
) -> Serve:
    """Return what serves one connection; `host_key` (OpenSSH or PEM format) is read once, here."""
    install()
    door: Callable[[], Door] = partial(Door, user, authorized_keys, faults, journal)
    options = asyncssh.SSHServerConnectionOptions(
        server_factory=door,
        server_host_keys=[str(host_key)],
        server_version="AWS_SFTP_1.2",
        encryption_algs=_CIPHERS,
        mac_algs=_MACS,
        kex_algs=_KEX,
        compression_algs=["none"],
        password_auth=False,
        kbdint_auth=False,
        gss_host=None,
        allow_scp=False,
        sftp_factory=lambda channel: Session(channel, bucket, faults, journal, denied),
        sftp_version=3,
    )

    async def serve(client: socket.socket) -> None:
        try:
            async with await asyncssh.run_server(client, config=None, options=options) as connection:
                await connection.wait_closed()
        except (asyncssh.Error, OSError):
            pass  # the client left, or was turned away: its own business

    return serve
