"""`contract`: what a change of a contract does, and whether it may be deployed."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.session import ATTENTION, OK, Session, operator, plain

if TYPE_CHECKING:
    from pipeline.contracts.compatibility import Comparison
    from pipeline.contracts.dataset import Dataset

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_SHIPPED = Path(__file__).parents[1] / "contracts"
_directories = (
    click.option("--contracts", type=click.Path(path_type=Path), default=_SHIPPED, help="Where the contracts are."),
    click.option("--docs", type=click.Path(path_type=Path), default=Path("docs/contracts"), help="Where releases are."),
)


@click.group(name="contract", short_help="What a change of a contract does; release it.")
def command() -> None:
    """Classify a change of a contract, release it with a notice for the partner, and check that this was done."""


@command.command()
@click.argument("files", nargs=-1, type=_FILE, metavar="[OLD] NEW")
@click.option("--against", metavar="GIT-REF", help="Compare each file with what it was there, instead of with OLD.")
@click.option("--notice", type=click.Path(dir_okay=False, path_type=Path), help="Write the partner's notice there.")
@operator
def diff(session: Session, files: tuple[Path, ...], against: str | None, notice: Path | None) -> int:
    """Say what each change between two contracts does: to readers, to what is disclosed, to the warehouse.

    Exit code 0 where the partner reads on and nothing more is disclosed, 1 where the partner must be told first, or the
    version is raised too little.

    \b
    Examples:
      python -m pipeline contract diff old.yaml new.yaml
      python -m pipeline contract diff --against v1.4.0 pipeline/contracts/payments.yaml --notice notice.md
    """
    from pipeline.contracts.notice import notice as written
    from pipeline.contracts.rules import compare

    if against is None and len(files) != 2:
        raise click.UsageError("Name two files, OLD and NEW, or --against and the files to compare.")
    pairs = [(_at(against, file), _read(file)) for file in files] if against else [(_read(files[0]), _read(files[1]))]
    comparisons = [compare(old, new) for old, new in pairs]
    if notice is not None:
        notice.write_text("\n".join(map(written, comparisons)), encoding="utf-8")
    if session.as_json:
        session.write([_as_json(comparison) for comparison in comparisons])
    else:
        for comparison in comparisons:
            _show(session, comparison)
    return OK if all(_well(comparison) for comparison in comparisons) else ATTENTION


@command.command()
@_directories[0]
@_directories[1]
@operator
def check(session: Session, contracts: Path, docs: Path) -> int:
    """Compare the contracts with the last released ones: version raised enough, notice written, pages current.

    Descriptions of returned files are read too.

    Exit code 1 where anything is found.

    \b
    Examples:
      python -m pipeline contract check
    """
    from pipeline.contracts import returned
    from pipeline.contracts.reader import load
    from pipeline.contracts.releases import problems

    lacking = [*problems(load(contracts), docs), *returned.load(contracts).problems]
    if session.as_json:
        session.write(lacking)
    else:
        for problem in lacking or ["Every contract is released, and its page is current."]:
            session.say(plain(problem))
    return ATTENTION if lacking else OK


@command.command()
@_directories[0]
@_directories[1]
@operator
def release(session: Session, contracts: Path, docs: Path) -> int:
    """Keep each contract's text under its version, and write the pages with the notices for the partner.

    \b
    Examples:
      python -m pipeline contract release
    """
    from pipeline.contracts.reader import load
    from pipeline.contracts.releases import release as keep

    written = [str(file) for contract in load(contracts).values() for file in keep(contract, docs)]
    if session.as_json:
        session.write(written)
    else:
        for file in written:
            session.say(plain(file))
    return OK


def _read(file: Path) -> Dataset:
    from pipeline.contracts.reader import read

    return read(file.read_text(encoding="utf-8"), where=str(file))


def _at(reference: str, file: Path) -> Dataset:
    """The contract as it was at a commit, branch or tag."""
    from pipeline.contracts.reader import read

    place = f"{reference}:./{file.name}"
    shown = subprocess.run(["git", "show", place], cwd=file.parent, capture_output=True, text=True, check=False)
    if shown.returncode:
        raise click.UsageError(f"git has no {file} at {reference}: {shown.stderr.strip()}")
    return read(shown.stdout, where=f"{file} at {reference}")


def _well(comparison: Comparison) -> bool:
    return comparison.effect.forward and comparison.enough and not comparison.disclosed and not comparison.withheld


def _as_json(comparison: Comparison) -> dict[str, object]:
    reads = comparison.reads
    return {
        "dataset": comparison.new.name,
        "old": {"version": comparison.old.version, "sha256": comparison.old.sha256},
        "new": {"version": comparison.new.version, "sha256": comparison.new.sha256},
        "by_name": comparison.by_name.kind,
        "by_position": comparison.by_position.kind,
        "partner_reads": reads,
        "moves_first": comparison.first,
        "disclosed": comparison.disclosed,
        "withheld": comparison.withheld,
        "warehouse": comparison.warehouse,
        "level": comparison.level,
        "least_version": comparison.least,
        "version_enough": comparison.enough,
        "changes": [
            {
                "rule": change.rule,
                "column": change.column,
                "old": change.old,
                "new": change.new,
                "by_name": change.by_name.kind,
                "by_position": change.by_position.kind,
                "says": change.says,
                "disclosed": change.disclosed,
                "withheld": change.withheld,
                "warehouse": change.warehouse,
                "level": change.level(reads),
                "proven": change.proven,
            }
            for change in comparison.changes
        ],
    }


def _show(session: Session, comparison: Comparison) -> None:
    old, new = comparison.old, comparison.new
    session.say(f"[bold]{plain(new.name)} {plain(old.version)} -> {plain(new.version)}[/]")
    if not comparison.changes:
        session.say("Nothing changed.")
    for change in comparison.changes:
        place = f"{change.rule} {change.column}" if change.column else change.rule
        kinds = f"by name {change.by_name.kind}, by position {change.by_position.kind}"
        session.say(f"- {plain(place)}: {plain(change.old)} -> {plain(change.new)} [cyan]{kinds}[/]")
        session.say(f"  {plain(change.says)}")
    session.say(f"Readers by name: {comparison.by_name.kind}. Readers by position: {comparison.by_position.kind}.")
    session.say(f"Who must move first: {comparison.first}.")
    for title, lines, color in (
        ("Newly disclosed", comparison.disclosed, "red"),
        ("Not sent any more", comparison.withheld, "yellow"),
        ("In the warehouse", comparison.warehouse, "cyan"),
    ):
        for line in lines:
            session.say(f"[{color}]{title}[/]: {plain(line)}")
    enough = "" if comparison.enough else f" [red]{plain(new.version)} is not enough.[/]"
    session.say(f"Least version: {comparison.least} ({comparison.level or 'no change'}).{enough}")
