"""OpenSSH's own sshd as the partner: an ordinary SFTP server, and a second opinion on the client."""

import asyncio
import getpass
import os
import shutil
import signal
import socket
from pathlib import Path

from localcloud.partner.listener import Serve

_SEARCH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])


class SshdMissing(Exception):
    """There is no sshd on this machine; the message names the command that installs it."""


def openssh_server(
    root: Path, host_key: Path, authorized_keys: Path, workspace: Path, log: Path | None, search: str = _SEARCH
) -> Serve:
    """Return what serves one connection: an sshd that lives as long as it, for the current user, who starts in `root`.

    `workspace` is a private directory for the configuration and a copy of the host key. sshd is looked for in the
    directories of `search`, and logs connections to `log`, else to stderr. Raises SshdMissing.
    """
    sshd = shutil.which("sshd", path=search)
    if sshd is None:
        raise SshdMissing("sshd is missing: sudo apt-get install --no-install-recommends openssh-server")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where root's sshd locks up its unprivileged half
    key = workspace / "host_key"
    key.touch(mode=0o600)  # sshd refuses a host key that others can read
    key.write_bytes(host_key.read_bytes())
    start = workspace / "start"
    start.symlink_to(root.resolve())  # ForceCommand's arguments are split at blanks, whatever the quoting
    configuration = workspace / "sshd_config"
    configuration.write_text(
        f"""HostKey {_word(key)}
AuthorizedKeysFile {_word(authorized_keys.resolve())}
AllowUsers {getpass.getuser()}
AuthenticationMethods publickey
PermitRootLogin prohibit-password
UsePAM no
StrictModes no
PidFile none
DisableForwarding yes
Subsystem sftp internal-sftp
ForceCommand internal-sftp -d {start}
"""
    )
    if log is not None:  # OpenSSH 10 expands % signs in the name of the log
        (workspace / "log").symlink_to(log.resolve())
    command = [sshd, "-i", "-f", str(configuration), *(["-E", str(workspace / "log")] if log else ["-e"])]

    async def serve(client: socket.socket) -> None:
        with client:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=client.fileno(), stdout=client.fileno(), start_new_session=True
            )
        try:
            await process.wait()
        finally:
            if process.returncode is None:  # its children hold the connection too
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()

    return serve


def _word(path: Path) -> str:
    """Return `path` as sshd_config reads it: quoted, its % signs no tokens."""
    return '"' + str(path).replace("%", "%%") + '"'
