"""The contract that a delivery belongs to: archived before it is first used, and found again by whoever goes on.

A plan names its contract by version and SHA-256. So what was begun is finished, resent and certified as it was begun,
whichever contracts the instance was deployed with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from pipeline.contracts import reader
from pipeline.contracts.dataset import Dataset
from pipeline.errors import ArchiveUnavailable, ContractInvalid, RecordDamaged
from pipeline.records.schema import Plan
from pipeline.records.store import Records


@dataclass(slots=True)
class Known:
    """What a process knows of contracts: those that it was deployed with, and what it has found out of the archive."""

    deployed: Mapping[str, Dataset]
    archived: set[str] = field(default_factory=set)
    earlier: dict[tuple[str, str], Dataset] = field(default_factory=dict)


class Contracts:
    """The contracts of a deployment and of its records, within the budget of one run."""

    def __init__(self, known: Known, records: Records) -> None:
        self._known = known
        self._records = records

    def archive(self) -> None:
        """See that the text of each deployed contract is archived under its version, once in a process.

        Raises ContractInvalid for all whose version was used with another text, ArchiveUnavailable, OutOfTime.
        """
        problems = []
        for contract in self._known.deployed.values():
            if contract.sha256 in self._known.archived:
                continue
            if not self._records.keep_contract(contract) and (problem := self.conflict(contract)) is not None:
                problems.append(problem)
            else:
                self._known.archived.add(contract.sha256)
        if problems:
            raise ContractInvalid("\n".join(problems))

    def conflict(self, contract: Dataset) -> str | None:
        """Why the contract cannot be used: its version was used with another text. None where it was not."""
        text = self._records.contract(contract.name, contract.version)
        if text is None or text == contract.text:
            return None
        return (
            f"{contract.name} {contract.version} was used with another text: SHA-256 {_sha256(text)} then, "
            f"{contract.sha256} now. Raise the version; `python -m pipeline contract diff` says how far."
        )

    def current(self, dataset: str) -> Dataset:
        """The deployed contract, which a new plan follows. Raises ContractInvalid, ArchiveUnavailable, OutOfTime."""
        self.archive()
        return self._known.deployed[dataset]

    def of(self, plan: Plan) -> Dataset:
        """The contract that the delivery belongs to.

        Plans of version 0.1.0 name no SHA-256: then what was archived under the version holds, or else what is
        deployed. Raises RecordDamaged, ContractInvalid (a text that this version of the code cannot read),
        ArchiveUnavailable, OutOfTime.
        """
        deployed = self._known.deployed[plan.dataset]
        if plan.contract_sha256 == deployed.sha256 or (
            plan.contract_sha256 is None and plan.contract == deployed.version
        ):
            return deployed
        key = (deployed.name, plan.contract)
        if key not in self._known.earlier:
            text = self._records.contract(*key)
            if text is None and plan.contract_sha256 is None:
                return deployed
            self._known.earlier[key] = self._read(plan, text)
        return self._known.earlier[key]

    def every(self) -> Iterator[Dataset]:
        """The deployed contracts, then all others that were ever used; those that cannot be read are left out."""
        yield from self._known.deployed.values()
        yield from self._earlier

    @cached_property
    def _earlier(self) -> list[Dataset]:
        earlier = []
        used = {(contract.name, contract.version) for contract in self._known.deployed.values()}
        for name, version in self._records.contract_versions():
            text = None if (name, version) in used else self._records.contract(name, version)
            try:
                if text is not None:
                    earlier.append(reader.read(text, where=f"{name} {version}"))
            except ContractInvalid:  # written by a later version of the code; nothing of ours goes by it
                continue
        return earlier

    def _read(self, plan: Plan, text: str | None) -> Dataset:
        named = f"The contract {plan.dataset} {plan.contract}"
        if text is None:
            raise ArchiveUnavailable(f"{named}, which a plan follows, is not in the records bucket.")
        if plan.contract_sha256 not in (None, _sha256(text)):
            raise RecordDamaged(f"{named} is not what the plan names: SHA-256 {_sha256(text)}.")
        return reader.read(text, where=f"{plan.dataset} {plan.contract}, as archived")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
