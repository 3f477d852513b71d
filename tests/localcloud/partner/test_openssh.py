"""Programs of OpenSSH on either side: its sftp against the AWS profile, its sshd against asyncssh and its own sftp."""

import getpass
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.partner.in_loop import in_loop
from localcloud.partner.journal import Entry
from localcloud.partner.openssh import SshdMissing, openssh_server
from localcloud.partner.running import Running, put, running


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path, "aws") as server:
        yield server


@pytest.fixture(params=["plain", "with blank and %h"])
def sshd(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Running]:
    """An sshd in a directory whose name must survive sshd's own reading of its configuration."""
    directory = tmp_path / str(request.param)
    directory.mkdir()
    with running(directory, "openssh") as server:
        yield server


def test_openssh_puts_lists_and_gets_a_file_through_the_aws_profile(aws: Running, tmp_path: Path) -> None:
    content = os.urandom(1_000_000)
    (tmp_path / "sent").write_bytes(content)
    done = aws.sftp(f"put {tmp_path}/sent a.pgp", "ls -l", f"get a.pgp {tmp_path}/fetched")
    assert done.returncode == 0, done.stderr
    assert (aws.root / "a.pgp").read_bytes() == (tmp_path / "fetched").read_bytes() == content
    assert "1000000" in done.stdout
    assert "a.pgp" in done.stdout


def test_openssh_is_refused_attributes_directories_and_appending(aws: Running, tmp_path: Path) -> None:
    (aws.root / "a.pgp").write_bytes(b"content")
    (tmp_path / "longer").write_bytes(b"content and more")
    for command in ("chmod 600 a.pgp", "mkdir new", f"reput {tmp_path}/longer a.pgp", "ln -s a.pgp b.pgp"):
        assert aws.sftp(command).returncode != 0, command
    assert (aws.root / "a.pgp").read_bytes() == b"content"
    assert Entry("setstat", "/a.pgp", answer="unsupported") in aws.entries()
    assert Entry("mkdir", "/new", answer="permission denied") in aws.entries()


def test_openssh_renames_by_the_plain_request_because_no_other_is_offered(aws: Running) -> None:
    (aws.root / "a.tmp").write_bytes(b"content")
    assert aws.sftp("rename a.tmp a.pgp").returncode == 0
    assert (aws.root / "a.pgp").read_bytes() == b"content"
    assert Entry("rename", "/a.tmp", to="/a.pgp") in aws.entries()


@in_loop
async def test_sshd_stores_relative_paths_in_its_root_and_renames_over_a_file(sshd: Running) -> None:
    async with sshd.client() as sftp:
        await put(sftp, "a.tmp", b"new")
        await put(sftp, "a.pgp", b"old")
        await sftp.posix_rename("a.tmp", "a.pgp")
        assert sorted(await sftp.listdir(".")) == [".", "..", "a.pgp"]
    assert (sshd.root / "a.pgp").read_bytes() == b"new"
    assert sshd.user == getpass.getuser()


def test_sshd_serves_openssh_and_logs_who_came(sshd: Running, tmp_path: Path) -> None:
    (tmp_path / "sent").write_bytes(b"content")
    done = sshd.sftp(f'put "{tmp_path}/sent" a.pgp', "chmod 600 a.pgp")
    assert done.returncode == 0, done.stderr
    assert (sshd.root / "a.pgp").stat().st_mode & 0o777 == 0o600
    assert "Accepted publickey" in (sshd.directory / "log").read_text()


def test_sshd_that_is_missing_is_named_with_the_command_that_installs_it(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing"
    with pytest.raises(SshdMissing, match="apt-get install --no-install-recommends openssh-server"):
        openssh_server(nothing, nothing, nothing, nothing, None, search=str(tmp_path))
