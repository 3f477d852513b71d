"""Released contracts: every text that ever held, kept in a directory, a file for each version."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pipeline.contracts import reader
from pipeline.contracts.compatibility import numbers
from pipeline.contracts.dataset import Dataset
from pipeline.contracts.notice import history
from pipeline.contracts.rules import compare
from pipeline.errors import ContractInvalid

RELEASED: Final = "released"


def released(directory: Path, name: str) -> list[Dataset]:
    """All released contracts of a dataset, oldest first. Raises ContractInvalid where one cannot be read."""
    files = sorted((directory / RELEASED / name).glob("*.yaml"))
    contracts = [reader.read(file.read_text(encoding="utf-8"), where=f"{name}/{file.name}") for file in files]
    return sorted(contracts, key=lambda contract: numbers(contract.version))


def problems(contracts: Mapping[str, Dataset], directory: Path) -> list[str]:
    """Why these contracts may not be deployed yet: no version of their own, raised too little, or no notice written."""
    lacking = []
    for series, contract in contracts.items():
        name, before = contract.name, released(directory, contract.name)
        if (wrong := unfit(contract, before)) is not None:
            lacking.append(f"{series}: {wrong}")
        elif contract.text not in [release.text for release in before]:
            lacking.append(f"{name}: {contract.version} is not released; run python -m pipeline contract release")
        elif _written(_page(directory, name)) != history(before):
            lacking.append(f"{name}: docs page is not current; run python -m pipeline contract release")
    return lacking


def release(contract: Dataset, directory: Path) -> list[Path]:
    """Keep the contract's text and write its dataset's page anew; the files written. Raises ContractInvalid."""
    before = released(directory, contract.name)
    if (wrong := unfit(contract, before)) is not None:
        raise ContractInvalid(f"{contract.name}: {wrong}")
    file = directory / RELEASED / contract.name / f"{contract.version}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(contract.text, encoding="utf-8")
    _page(directory, contract.name).write_text(history(released(directory, contract.name)), encoding="utf-8")
    return [file, _page(directory, contract.name)]


def unfit(contract: Dataset, before: list[Dataset]) -> str | None:
    """Why the contract cannot follow those before it: the same version with another text, or raised too little."""
    if not before:
        return None
    for release in before:
        if release.version == contract.version:
            return (
                None if release.text == contract.text else f"version {release.version} was released with another text"
            )
    earlier = [release for release in before if numbers(release.version) < numbers(contract.version)]
    if not earlier:
        return f"version {before[0].version} was released before; {contract.version} is not after it"
    comparison = compare(earlier[-1], contract)
    if not comparison.enough:
        return (
            f"the change from {earlier[-1].version} needs at least version {comparison.least}, not {contract.version}"
        )
    return None


def _written(page: Path) -> str | None:
    return page.read_text(encoding="utf-8") if page.exists() else None


def _page(directory: Path, name: str) -> Path:
    return directory / f"{name}.md"
