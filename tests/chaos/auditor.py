"""The auditor: SQL on the warehouse against the files that the partner's keys open. Of `pipeline` only names are used:
the contracts, and what an hour is.

    lost       rows of the warehouse that the latest revision's files do not hold
    altered    rows that a file holds and the warehouse, at the file's snapshot, does not; or holds fewer times; and
               contents that were seen under a final name without being the beginning of the file
    unchecked  bytes at the partner that no sealed record vouches for, opened again and archived
    leftovers  whatever should not be there any more
    untrue     certificates that say `certified` over a file that was absent, half or other; and hours that are not
               certified in the end, where that is asked
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localcloud import keys
from localcloud.deployment import LocalDeployment
from localcloud.opened import decrypt, in_warehouse, read_csv
from pipeline.window import Slot, stamp
from tests.chaos.certificates import unproven, untrue
from tests.chaos.sights import NAME, Seen

Row = tuple[str | None, ...]


@dataclass
class Audit:
    """What was found; every figure but `files` and `rows` must be 0."""

    files: int = 0
    rows: int = 0
    lost: int = 0
    altered: int = 0
    unchecked: int = 0
    leftovers: int = 0
    untrue: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Nothing is wrong."""
        return not (self.lost or self.altered or self.unchecked or self.leftovers or self.untrue)


def audit(
    deployment: LocalDeployment,
    slots: Iterable[Slot],
    partner_keys: Sequence[keys.PgpKey],
    *,
    seen: Iterable[Seen] = (),
    left: Sequence[str] = (),
    certified_within: float = 0.0,
) -> Audit:
    """Compare everything with everything. `left` names what others found left behind.

    With `certified_within`, the seconds that a run may take, every certificate must be true, and every slot certified.
    """
    seen, slots = list(seen), list(slots)
    found = Audit(leftovers=len(left), problems=[f"left behind: {one}" for one in left])
    records = _records(deployment)
    with _home(partner_keys, deployment.cloud.signing_key) as home:
        contents = _contents(deployment, home, records, found)
    for slot in slots:
        _slot(deployment, slot, contents, records, found)
    for one in seen:
        whole = deployment.files / one.name
        if one.content is not None and not (whole.is_file() and whole.read_bytes().startswith(one.content)):
            found.altered += 1
            found.problems.append(f"{one.name} showed {len(one.content)} bytes that are not the beginning of the file")
    for path in (*deployment.files.iterdir(), *deployment.cloud.root.glob("partner.incoming/*")):
        if NAME.fullmatch(path.name) is None:
            found.leftovers += 1
            found.problems.append(f"left at the partner: {path.name}")
    if certified_within:
        wrong = [*untrue(records, seen, certified_within), *unproven(records, slots)]
        found.untrue += len(wrong)
        found.problems += wrong
    return found


def _contents(
    deployment: LocalDeployment, home: Path, records: Mapping[str, dict[str, Any]], found: Audit
) -> dict[tuple[str, str, int], list[Row]]:
    """The rows of every file that opens, by dataset, start and revision; who vouches for it is looked up."""
    datasets, rows = deployment.datasets, dict[tuple[str, str, int], list[Row]]()
    for path in deployment.received():
        match = NAME.fullmatch(path.name)
        if match is None:
            continue
        found.files += 1
        try:
            opened = decrypt(home, path, deployment.cloud.signing_key.fingerprint)
        except ValueError:
            found.unchecked += path.stat().st_size
            found.problems.append(f"{path.name} does not open")
            continue
        if not _vouched(deployment, path, opened, records):
            found.unchecked += path.stat().st_size
            found.problems.append(f"no record vouches for {path.name}")
        read = read_csv(opened, datasets[match["dataset"]])
        found.rows += len(read)
        rows.setdefault((match["dataset"], match["start"], int(match["revision"])), []).extend(read)
    return rows


def _vouched(deployment: LocalDeployment, path: Path, opened: bytes, records: Mapping[str, dict[str, Any]]) -> bool:
    """Sealed, opened again with this content, archived as it is, and recorded as delivered."""
    digest, content = hashlib.sha256(path.read_bytes()).hexdigest(), hashlib.sha256(opened).hexdigest()
    sealed = [one for one in records.values() if "piece_sha256" in one and one["file_name"] == path.name]
    sent = [one for one in records.values() if "confirmation" in one and one["file_name"] == path.name]
    if len(sealed) != 1 or not sent or any(one["sha256"] != digest for one in sent):
        return False
    (record,) = sealed
    archived = {
        one: deployment.cloud.storage.bucket("archive").blob(record[one]["name"]).download_as_bytes()
        for one in ("csv", "sealed")
    }
    return bool(
        record["sealed"]["sha256"] == digest
        and record["opened"]["sha256"] == record["csv"]["sha256"] == content
        and archived == {"csv": opened, "sealed": path.read_bytes()}
    )


def _slot(
    deployment: LocalDeployment,
    slot: Slot,
    contents: Mapping[tuple[str, str, int], list[Row]],
    records: Mapping[str, dict[str, Any]],
    found: Audit,
) -> None:
    dataset = deployment.datasets[slot.dataset]
    start = stamp(slot.window.start)
    prefix = f"deliveries/{slot.folder}/r"
    plans = {
        int(name.removeprefix(prefix).split("/")[0]): record
        for name, record in records.items()
        if name.startswith(prefix) and name.endswith("/plan.json")
    }
    revisions = {revision for name, begin, revision in contents if (name, begin) == (slot.dataset, start)}
    for revision in sorted(revisions):
        theirs = Counter(contents[slot.dataset, start, revision])
        snapshot = plans[revision]["snapshot"] if revision in plans else ""
        foreign = theirs - Counter(in_warehouse(deployment, dataset, slot.window, snapshot))
        if foreign:
            found.altered += foreign.total()
            found.problems.append(f"{slot} r{revision}: {foreign.total()} rows are not the warehouse's")
    latest = Counter(contents.get((slot.dataset, start, max(plans, default=1)), ()))
    lost = Counter(in_warehouse(deployment, dataset, slot.window)) - latest
    if lost or not plans:
        found.lost += lost.total() or 1
        found.problems.append(f"{slot}: {lost.total()} rows never arrived" + ("" if plans else ", nothing is planned"))


def _records(deployment: LocalDeployment) -> dict[str, dict[str, Any]]:
    blobs = deployment.cloud.storage.list_blobs("records", prefix="deliveries/")
    return {blob.name: dict(json.loads(blob.download_as_bytes())["record"]) for blob in blobs}


@contextmanager
def _home(partner_keys: Sequence[keys.PgpKey], signer: keys.PgpKey) -> Iterator[Path]:
    with keys.gnupg_home() as home:
        for material in (*(key.private for key in partner_keys), signer.public):
            command = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--import"]
            subprocess.run(command, input=material, check=True, capture_output=True)
        yield home
