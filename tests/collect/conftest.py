"""A partner that answers: its files appear on the returns server, and the function collects them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.status.grid import Cell, cell
from pipeline.status.history import history
from pipeline.window import Slot
from tests.deployment import InProcessDeployment, Ran, asking


@dataclass
class AnsweringPartner:
    """One deployment, and the directory that its partner returns files in."""

    deployment: InProcessDeployment
    directory: Path

    def delivered(self, rows: int = 12, **settings: str) -> Slot:
        """A slot that was delivered, in as many parts as the settings ask for."""
        self.deployment.set(**settings)
        slot = self.deployment.load(count=rows)
        assert self.deployment.deliver(slot).error is None
        self.deployment.drain()
        return slot

    def sent(self, part: int = 1, revision: int = 1) -> str:
        """The name of a file that the partner has."""
        names = [path.name for path in self.deployment.received()]
        (name,) = [name for name in names if f"_r{revision}_{part}of" in name]
        return name

    def answer(self, name: str, content: bytes = b"read it") -> Ran:
        """The partner returns a file; the function collects it. What it published stays on the topic."""
        (self.directory / name).write_bytes(content)
        ran = self.deployment.run({"action": "collect"})
        assert ran.error is None, ran.error
        return ran

    def describe(self, name: str, text: str) -> None:
        """Add a description of returned files to the deployed contracts."""
        folder = self.deployment.contracts_directory / "returns"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(text)

    def certify(self, slot: Slot) -> tuple[str, list[dict[str, Any]]]:
        """The verdict that certify gives now, and the verdict's events."""
        ran = self.deployment.run({"action": "certify", **asking(slot)})
        assert ran.error is None, ran.error
        events = [event for event in ran.events if event["event"].startswith("window.")]
        return self.verdict(slot), events

    def verdict(self, slot: Slot) -> str:
        """The verdict of the latest certificate of the slot's latest revision."""
        return str(self.certificate(slot)["verdict"])

    def certificate(self, slot: Slot) -> dict[str, Any]:
        """The latest certificate of the slot's latest revision."""
        records = self.deployment.records(slot)
        found = {
            (int(name.split("/")[0].removeprefix("r")), int(name.rpartition("-")[2])): record
            for name, record in records.items()
            if "/certificate-" in name
        }
        return dict(found[max(found)])

    def cell(self, slot: Slot) -> Cell:
        """Where the slot stands, for people."""
        run = self.deployment.within()
        return cell(history(run.records.folder(slot), run), run.now())


@pytest.fixture
def partner(deployment: InProcessDeployment) -> AnsweringPartner:
    """A partner with a directory for its answers."""
    directory = deployment.cloud.partner_root(deployment.profile) / f"{deployment.name}-returns"
    directory.mkdir()
    contracts = deployment.cloud.root / "contracts" / deployment.name
    shutil.copytree(deployment.contracts_directory, contracts, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    deployment.contracts_directory = contracts
    server = deployment.partner.ready
    deployment.set(
        RETURNS_HOST=server["host"],
        RETURNS_PORT=str(server["port"]),
        RETURNS_USER=server["user"],
        RETURNS_DIRECTORY=directory.name,
    )
    return AnsweringPartner(deployment, directory)
