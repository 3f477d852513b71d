"""gpg's home: private while it lasts, and gone afterwards however the run ends."""

import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from localcloud.processes import repository
from pipeline.errors import SealFailed
from pipeline.pgp.home import Gpg, cleaner_of, gnupghome
from tests.keyrings import People, processes, wait_until_gone

HOLD = """
import sys
from pipeline.pgp.home import Gpg, gnupghome
with gnupghome() as home:
    Gpg(home).import_keys(sys.stdin.buffer.read())
    print(home, flush=True)
    {end}
"""


def test_only_this_user_may_enter_a_home_that_is_gone_with_its_agent_after_the_block(who: People) -> None:
    with gnupghome() as home:
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        gpg = Gpg(home)
        assert gpg.import_keys(who.stranger.private).sec_imported
        assert gpg.sign("x").fingerprint
        assert "gpg-agent" in processes(home)
    assert not home.exists()
    assert wait_until_gone(home)


def test_a_home_is_gone_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), gnupghome() as home:
        raise ZeroDivisionError
    assert not home.exists()
    assert wait_until_gone(home)


@pytest.mark.parametrize(
    ("end", "number"),
    [
        ("import time; time.sleep(600)", signal.SIGKILL),
        ("import time; time.sleep(600)", signal.SIGTERM),
        ("import os; os._exit(3)", None),
        ("sys.exit(3)", None),
    ],
    ids=["killed", "terminated", "ended at once", "ended in order"],
)
def test_a_home_is_gone_however_the_process_ends(who: People, end: str, number: signal.Signals | None) -> None:
    command = [sys.executable, "-c", HOLD.format(end=end)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=repository()) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(who.signer.private)
        process.stdin.close()
        home = Path(process.stdout.readline().decode().strip())
        if number is not None:
            assert home.is_dir()
            os.kill(process.pid, number)
    assert home.name.startswith("pspp-gpg-")
    assert wait_until_gone(home)


def test_a_home_that_its_process_never_made_is_nothing_to_clean_up(tmp_path: Path) -> None:
    cleaner = subprocess.run(cleaner_of(tmp_path / "home"), stdin=subprocess.DEVNULL, check=False)
    assert (cleaner.returncode, list(tmp_path.iterdir())) == (0, [])


def test_a_home_is_gone_where_a_dying_gpg_still_writes_into_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`rm -rf` fails where something new is in a directory that it has just emptied; this one fails once."""
    programs, homes = tmp_path / "programs", tmp_path / "homes"
    programs.mkdir()
    (homes / "home").mkdir(parents=True)
    remove = programs / "rm"
    remove.write_text(
        f'#!/bin/sh\n[ -e "{programs}/failed" ] && exec {shutil.which("rm")} "$@"\n: >"{programs}/failed"\nexit 1\n'
    )
    remove.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    subprocess.run(cleaner_of(homes / "home"), stdin=subprocess.DEVNULL, check=True)
    assert (programs / "failed").exists()
    assert list(homes.iterdir()) == []


def test_two_homes_know_nothing_of_each_other(who: People) -> None:
    with gnupghome() as one, gnupghome() as other:
        Gpg(one).import_keys(who.partner.public)
        assert len(Gpg(one).list_keys()) == 1
        assert Gpg(other).list_keys() == []


def test_a_missing_gpg_is_said_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SealFailed, match="apt-get install --no-install-recommends gnupg"), gnupghome():
        pass


def test_a_home_that_cannot_be_made_is_an_error_and_the_working_directory_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ours").write_text("precious")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "no-such"))
    with pytest.raises(SealFailed, match=r"gpg's home cannot be made in .*no-such"), gnupghome():
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["ours"]


def test_killing_a_gpg_that_does_not_run_does_nothing() -> None:
    with gnupghome() as home:
        gpg = Gpg(home)
        gpg.kill()
        gpg.list_keys()
        gpg.kill()
