"""Who gets in, how far away the server seems, and how it ends."""

import asyncio
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from localcloud.keys import host_key_line, ssh_key
from localcloud.partner.in_loop import in_loop, until
from localcloud.partner.running import Running, put, running
from localcloud.processes import NotReady


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path, "aws") as server:
        yield server


@in_loop
async def test_only_the_algorithms_of_aws_are_accepted(server: Running) -> None:
    for options in (
        {"encryption_algs": ["chacha20-poly1305@openssh.com"]},
        {"encryption_algs": ["aes256-ctr"], "mac_algs": ["hmac-sha1"]},
        {"kex_algs": ["diffie-hellman-group14-sha256"]},
    ):
        with pytest.raises((asyncssh.KeyExchangeFailed, asyncssh.ConnectionLost)):  # whichever side gives up first
            async with server.connection(**options):
                pass
    async with server.connection(encryption_algs=["aes256-gcm@openssh.com"]) as connection:
        assert connection.get_extra_info("server_version") == "SSH-2.0-AWS_SFTP_1.2"


@in_loop
async def test_neither_another_user_nor_another_key_nor_a_password_gets_in(server: Running) -> None:
    stranger = asyncssh.import_private_key(ssh_key().private)
    for options in ({"username": "nobody"}, {"client_keys": [stranger]}, {"client_keys": [], "password": "guess"}):
        with pytest.raises(asyncssh.PermissionDenied):
            async with server.connection(**options):
                pass


@in_loop
async def test_an_authorized_key_is_exchanged_while_the_server_runs(server: Running) -> None:
    new = ssh_key()
    (server.directory / "authorized_keys").write_bytes(new.public + b"\n")
    with pytest.raises(asyncssh.PermissionDenied):
        async with server.connection():
            pass
    async with server.connection(client_keys=[asyncssh.import_private_key(new.private)]):
        pass


@in_loop
async def test_a_client_that_pins_another_host_key_turns_away(server: Running) -> None:
    pinned = host_key_line(server.host, server.port, ssh_key().public)
    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        async with server.connection(known_hosts=pinned.encode()):
            pass


@in_loop
async def test_a_shell_command_is_refused(server: Running) -> None:
    async with server.connection() as connection:
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.run("true")


@in_loop
async def test_each_request_takes_a_round_trip_but_requests_under_way_together_share_one(tmp_path: Path) -> None:
    with running(tmp_path, "aws", "--rtt-ms", "200") as server:
        async with server.client() as sftp:
            began = time.monotonic()
            assert not await sftp.exists("absent")
            assert time.monotonic() - began >= 0.2
            began = time.monotonic()
            await put(sftp, "a.pgp", bytes(100 * 16384))  # one by one, a hundred writes would take 20 s
            assert time.monotonic() - began < 10
    assert (server.root / "a.pgp").stat().st_size == 100 * 16384


@in_loop
async def test_a_large_upload_does_not_grow_the_server(server: Running) -> None:
    def peak() -> int:
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))

    async with server.client() as sftp:
        await put(sftp, "small.pgp", bytes(4 << 20))
        before = peak()
        async with sftp.open("large.pgp", "wb") as file:
            for _ in range(16):
                await file.write(bytes(4 << 20))
    assert (server.root / "large.pgp").stat().st_size == 64 << 20
    assert peak() - before < 32 << 10  # KiB, a half of it


@pytest.mark.parametrize("profile", ["aws", "openssh"])
@in_loop
async def test_sigterm_ends_the_server_and_its_connections(tmp_path: Path, profile: str) -> None:
    with running(tmp_path, "aws" if profile == "aws" else "openssh") as server:
        async with server.connection() as connection:
            server.process.terminate()
            await connection.wait_closed()
        assert await asyncio.to_thread(server.process.wait, 20) == 0


@in_loop
async def test_the_server_ends_with_its_parent(server: Running) -> None:
    assert server.process.stdin is not None
    server.process.stdin.close()
    await until(lambda: server.process.poll() is not None)
    assert server.process.returncode == 0


def test_options_that_openssh_cannot_honour_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match="need --profile aws"), running(tmp_path, "openssh", "--deny-stat"):
        pass


def test_another_user_of_sshd_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match="current user"), running(tmp_path, "openssh", "--user", "somebody-else"):
        pass


def test_one_line_says_when_the_server_is_ready(server: Running) -> None:
    assert subprocess.run(["ssh-keyscan", "-p", str(server.port), server.host], capture_output=True).stdout
    server.process.terminate()
    assert server.process.stdout is not None
    assert server.process.stdout.read() == b""
