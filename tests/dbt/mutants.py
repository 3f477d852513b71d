"""Mutants of the dbt project: each is one change of its SQL that a test has to notice.

    python -m tests.dbt.mutants                 # all of them: half an hour on two cores that are free
    python -m tests.dbt.mutants --only contacts # those whose file's path has this in it

First the unit tests of the model are run, then generated stories with runs that come late or are incomplete. A mutant
that none of them notices survives. The project without a change has to pass the stories first.

Four of macros/ledger.sql survive these short stories, and are noticed by tests that are not run here: the search of all
days and the choice of the news by test_quarantine, the digest of what is looked up by test_story, the hours that are
read again by test_watermark. What overlapping runs leave is noticed by test_watermark and test_overlap.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from _pytest.outcomes import Failed
from rich.console import Console
from rich.table import Table

from localcloud.dbt import PROJECT, BuildFailed, run
from localcloud.rawdata import START, raw_rows
from localcloud.warehouses import DuckDBFile
from tests.dbt.test_generated import follow

RUNS: Final = ("untested", "plain", "slow clock")
SEEDS: Final = (11, 12)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A text of a file of the project, which stands there once, and what stands there instead."""

    file: str
    old: str
    new: str

    def written(self, copy: Path) -> Path:
        """A copy of the project with the change. Raises ValueError where the text is not there just once."""
        shutil.copytree(PROJECT, copy, ignore=shutil.ignore_patterns("target", "logs"))
        path = copy / self.file
        text = path.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(f"{self.file}: {self.old!r} stands there {text.count(self.old)} times")
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")
        return copy


def _of(file: str, *changes: tuple[str, str]) -> list[Mutant]:
    return [Mutant(file, old, new) for old, new in changes]


_CUSTOMERS, _IDENTITY = "models/intermediate/customers", "models/intermediate/identity"
MUTANTS: Final = [
    *_of(
        f"{_CUSTOMERS}/int_salesforce__merged.sql",
        ("order by steps desc", "order by steps"),
        ("chain.steps < ", "chain.steps <= "),
    ),
    *_of(
        f"{_CUSTOMERS}/int_customer_ids.sql",
        ("changed_at desc, account_id", "changed_at, account_id"),
        ("changed_at desc, account_id", "changed_at desc, account_id desc"),
        ("order by is_deleted and customer_id = account_id, ", "order by "),
        ("order by is_deleted and customer_id = account_id, ", "order by is_deleted, "),
        ("coalesce(merged.surviving_id, salesforce_accounts.account_id)", "salesforce_accounts.account_id"),
        ("coalesce(named.customer_id, entities.entity_id)", "entities.entity_id"),
    ),
    *_of(
        f"{_CUSTOMERS}/int_program_customers.sql",
        ("where in_program and not is_deleted", "where not is_deleted"),
        ("in_program and not is_deleted and master_record_id is null", "in_program and master_record_id is null"),
        (" and master_record_id is null", ""),
        (" and not entities.is_deleted", ""),
        ("entities.in_program and not", "not"),
        (" and ids.customer_id = entities.entity_id", ""),
    ),
    *_of(f"{_CUSTOMERS}/int_program_accounts.sql", ("inner join customers", "left join customers")),
    *_of(
        f"{_IDENTITY}/int_customer_contacts.sql",
        ("where not relations.is_deleted", "where true"),
        ("not contacts.is_deleted and ", ""),
        (" and contacts.master_record_id is null", ""),
        ("'owner' then 1 when 'beneficial_owner' then 2", "'owner' then 2 when 'beneficial_owner' then 1"),
        ("'director' then 3 else 4", "'director' then 4 else 3"),
        ("            related.role\n", "            related.role desc\n"),
        (" and from_salesforce.customer_id is null", ""),
        ("not entities.is_deleted and ", ""),
        ("coalesce(merged.surviving_id, relations.contact_id)", "relations.contact_id"),
        ("then 'representative' else 'owner'", "then 'owner' else 'representative'"),
    ),
    *_of(
        f"{_IDENTITY}/int_contact_documents.sql",
        ("expires_on desc nulls last", "expires_on desc nulls first"),
        ("expires_on desc nulls last", "expires_on nulls last"),
        ("changed_at desc, source", "changed_at, source"),
        ("source, number,", "source desc, number,"),
        ("source, number, country", "source, number desc, country"),
        ("number, country, type\n)", "number, country desc, type\n)"),
        ("number, country, type\n)", "number, country, type desc\n)"),
        ("where not salesforce_documents.is_deleted", "where true"),
        ("not entities.is_deleted and ", ""),
        (" and entities.document_type is not null", ""),
        ("inner join merged on merged.record_id", "inner join merged on false and merged.record_id"),
    ),
    *_of(
        "macros/staging.sql",
        ("is_deleted desc, {{ row_text('candidates') }} desc", "is_deleted, {{ row_text('candidates') }} desc"),
        ("{{ row_text('candidates') }} desc", "{{ row_text('candidates') }}"),
        ("{% for column in order %}{{ column }} desc, {%", "{% for column in order %}{{ column }}, {%"),
        ("when is_deleted then first_value", "when true then first_value"),
        ("  {{ text(rules.key) }} is not null and ", "  "),
        (" and {{ code(rules.operation) }} in ({{ quoted(rules.operations) }})", ""),
        ("- modules.datetime.timedelta(hours=var('reread_hours')) %}\n    and", "%}\n    and"),
    ),
    *_of(
        "macros/ledger.sql",
        ("seen.loaded_at >= newest.loaded_at", "seen.loaded_at > newest.loaded_at"),
        ("order by version desc, loaded_at desc, is_deleted desc", "order by version, loaded_at desc, is_deleted desc"),
        ("when seen.seen_at < {{ timestamp_literal(settled_until([dataset])) }}\n", "when true\n"),
        ("none if found(strays) else days", "days"),
        ("loaded_at desc, from_news desc", "loaded_at desc, from_news"),
        ("before.row_digest <> present.row_digest", "false"),
        ("(before.is_present or before.is_unsettled) and present", "false and present"),
        ("run_clock()] | min - modules.datetime.timedelta(hours=var('reread_hours'))", "run_clock()] | min"),
    ),
    *_of(
        "macros/change_log.sql",
        (" or published.row_digest <> judged.row_digest", ""),
        ("    or (not judged.is_shared and published.is_shared)\n", ""),
        ("order by published_at desc", "order by published_at"),
        ("where changes.broken is null and ", "where "),
        ("or not published.is_shared or", "or"),
        ("where published.is_shared and judged.{{ key[0] }} is null", "where false and judged.{{ key[0] }} is null"),
    ),
    *_of(
        "macros/watermark.sql",
        ("'updated_at') }} >= {{", "'updated_at') }} > {{"),
        ("when matched and present.complete_until < declared.complete_until\n", "when matched\n"),
    ),
    *_of(
        "macros/clock.sql",
        ("greatest(max(complete_until), {{ timestamp_literal(run_clock()) }})", "{{ timestamp_literal(run_clock()) }}"),
        ("max(complete_until) < {{", "max(complete_until) <= {{"),
    ),
    *_of(
        "models/intermediate/payments/int_payments__current.sql",
        ("not payments.is_deleted and ", ""),
        (" and beneficiaries.beneficiary_id is not null as is_shared", " as is_shared"),
        (" or filed.beneficiary_id in ' ~ changed_beneficiaries", "'"),
    ),
    *_of("models/intermediate/transactions/int_transactions__current.sql", ("not movements.is_deleted and ", "")),
]  # fmt: skip


def notices(project: Path, file: str, built: Path) -> str | None:
    """What notices that the project is wrong: "unit test", "story", or None. `built`: a warehouse after a build."""
    with TemporaryDirectory(prefix="dbt-mutant-") as place:
        model = Path(file).stem
        if model.startswith("int_") or file == "macros/staging.sql":
            warehouse = DuckDBFile(Path(shutil.copy(built, Path(place) / "units.duckdb")))
            chosen = f"{model},test_type:unit" if model.startswith("int_") else "staging,test_type:unit"
            try:
                run(warehouse, "test", "--select", chosen, project=project)
            except BuildFailed:
                return "unit test"
        for seed in SEEDS:
            warehouse = DuckDBFile(Path(place) / f"{seed}.duckdb")
            try:
                follow(seed, RUNS, warehouse, warehouse, project)
            except (AssertionError, BuildFailed, Failed):
                return f"story {seed}"
    return None


def main() -> None:
    """Try all mutants, and print what noticed each."""
    parser = argparse.ArgumentParser(prog="python -m tests.dbt.mutants", description=__doc__)
    parser.add_argument("--only", default="", help="mutants of files whose path has this in it")
    chosen, console = parser.parse_args().only, Console(width=160)
    table = Table("file", "instead of", "stands", "noticed by")
    with TemporaryDirectory(prefix="dbt-mutants-") as place:
        built = DuckDBFile(Path(place) / "built.duckdb")
        built.load(raw_rows(0, 0, 20))
        run(built, "build", now=START)
        if by := notices(PROJECT, "", built.path):
            raise SystemExit(f"The project as it is does not pass ({by}), so no mutant would show anything.")
        for number, mutant in enumerate(one for one in MUTANTS if chosen in one.file):
            project = mutant.written(Path(place) / str(number))
            by = notices(project, mutant.file, built.path)
            console.print(f"{mutant.file}: {mutant.old!r} -> {mutant.new!r}: {by or 'SURVIVED'}", markup=False)
            table.add_row(Path(mutant.file).name, mutant.old, mutant.new, by or "[red]survived[/]")
            shutil.rmtree(project)
    console.print(table)


if __name__ == "__main__":
    main()
