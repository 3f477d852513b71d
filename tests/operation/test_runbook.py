"""RUNBOOK.md: a section for every alert, and every command in it does what it says."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from localcloud.cloud import PROJECT
from localcloud.processes import repository
from pipeline.log import ALERTS
from tests.operation.gcloud import gcloud
from tests.operation.operator import OUTAGE, Operator

TEXT = (repository() / "RUNBOOK.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
TERRAFORM_ALONE = ("nothing.certified", "messages.waiting", "promise.burning", "secret.read", "record.deleted")
"""Alerts on what the function does not say itself."""

HOUR = "2026-11-23T13:00:00Z"


ROLES = re.findall(r"^\| `([a-z -]+)` \| (\w+) \| `(roles/[\w.]+)` \| (\w+) \|$", TEXT, re.MULTILINE)
"""Command, who may type it, the role that lets them, and on what; tests/terraform compares it with what is granted."""


def _typed(section: str) -> list[tuple[str, str]]:
    """Each command of a section, and who it is for."""
    blocks = re.findall(r"^```console\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    lines = [line.removeprefix("$ ").rpartition("  # ") for block in blocks for line in block.splitlines()]
    return [(command, who) for command, _, who in lines]


def _commands(section: str) -> list[str]:
    return [command for command, _ in _typed(section)]


def test_every_command_says_who_may_type_it_and_stands_in_the_table_of_roles() -> None:
    for section in SECTIONS.values():
        for command, who in _typed(section):
            typed = command.removeprefix("python -m ")
            assert [name for name, people, *_ in ROLES if people == who and f"{typed} ".startswith(f"{name} ")], command


def test_every_alert_has_a_section_under_its_name_and_no_other_section_is_there() -> None:
    assert sorted(SECTIONS) == sorted(name.replace(".", "-") for name in (*ALERTS, *TERRAFORM_ALONE))


@pytest.mark.parametrize("name", SECTIONS)
def test_every_section_says_what_it_means_what_shows_more_what_fixes_and_what_not_to_do(name: str) -> None:
    means, look, fix, do_not = (SECTIONS[name].find(f"**{word}") for word in ("Means.", "Look.", "Fix.", "Do not"))
    assert 0 <= means < look < fix < do_not
    assert _commands(SECTIONS[name][look:fix])
    assert _commands(SECTIONS[name][fix:])


def test_every_link_leads_to_a_section() -> None:
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= set(SECTIONS)


def test_every_event_that_terraform_leads_here_has_its_section() -> None:
    module = repository() / "terraform" / "module"
    terraform = "".join((module / f"{name}.tf").read_text(encoding="utf-8") for name in ("alerts", "audit"))
    assert 'RUNBOOK.md#${replace(event, ".", "-")}' in terraform
    for name in TERRAFORM_ALONE:
        assert f'"{name}"' in terraform


@pytest.fixture
def desk(operator: Operator, tmp_path: Path) -> Iterator[Path]:
    """A directory with the files that the commands name; secrets are put back afterwards."""
    deployment = operator.deployment
    (tmp_path / "partner.asc").write_bytes(deployment.cloud.partner_key.public)
    (tmp_path / "host-keys.txt").write_bytes(deployment.cloud.server_key.public + b"\n")
    (tmp_path / "sftp-key").write_bytes(deployment.cloud.login_key.private)
    with ExitStack() as ending:
        for name in ("pgp-partner-key", "sftp-host-keys", "sftp-key"):
            path = f"projects/{PROJECT}/secrets/{name}/versions/latest"
            ending.enter_context(
                operator.secret(name, deployment.cloud.secrets.access_secret_version(name=path).payload.data)
            )
        yield tmp_path


def test_every_command_runs_as_it_stands(operator: Operator, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk)
    hour = operator.delivered(3)
    commands = [command for section in SECTIONS.values() for command in _commands(section)]
    assert len(commands) == TEXT.count("\n$ ")
    for command in dict.fromkeys(commands):
        # The local cloud has one deployment, whose secrets have no prefix.
        typed = re.sub(r"amazon-pspp-(pgp|sftp)-", r"\1-", command.replace(HOUR, hour))
        program, *words = shlex.split(typed)
        if program == "gcloud":
            assert gcloud(operator.deployment, words, desk) or "pull" in words
        else:
            assert (program, *words[:2]) == ("python", "-m", "pipeline")
            result = operator.type(*words[2:], LOOK_BACK_HOURS=str(OUTAGE))
            assert result.exit_code in (0, 1), f"{command}: {result.output}"
    operator.becomes(hour, "certified")
