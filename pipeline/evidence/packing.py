"""An auditor's archive: a zip file whose every file is in a signed list, so that gpg and sha256sum check it.

The same state gives the same bytes; only the signature, which carries its time, differs.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import zipfile
from collections.abc import Callable, Mapping
from typing import IO, Final

from pydantic_core import to_json

from pipeline.evidence.gathering import Gathered
from pipeline.evidence.report import Report, page
from pipeline.window import rfc3339

SUMS: Final = "SHA256SUMS"
RECORDS: Final = "records/"
HEADER: Final = (
    "data set",
    "hour",
    "state",
    "revision",
    "rows",
    "bytes of CSV",
    "bytes sent",
    "minutes to the partner",
    "problems",
)
EARLIEST: Final = (1980, 1, 1, 0, 0, 0)
"""The time that every entry of the zip file has: the format knows none before it, and none is needed."""

README: Final = """\
Evidence of hourly deliveries to {partner}
{start} to {end}, project {project}

index.html         what was promised, what was delivered, what went wrong and what was done; open it in a browser
deliveries.csv     a line for every hour of every data set
figures.json       the figures of index.html
verification.json  what the walk through the ledger found
keys/              public keys that vouch for this archive and for the ledger
records/           the records themselves, each byte as it is stored: certificates, plans, refusals, deliveries, files
                   that the partner returned (what is known of them, not their content), contracts, the ledger's pages
SHA256SUMS         the SHA-256 of every file above; SHA256SUMS.asc is its signature

No row of any data set and no private key is in here. All times are UTC.

To check it, you need gpg and sha256sum, and nothing of ours. Type in the directory of this file:

1. Our key. Take it from where we gave it to you, not from here; its fingerprint is
   {fingerprint}

   gpg --import OUR-KEY.asc

2. This archive is what we signed. "Good signature" by that fingerprint, and no line from sha256sum or diff:

   gpg --verify SHA256SUMS.asc SHA256SUMS
   sha256sum --check --strict --quiet SHA256SUMS
   find * -type f ! -name 'SHA256SUMS*' | LC_ALL=C sort > ../names; cut -c 67- SHA256SUMS | diff - ../names

3. No record was changed since it was made. Each page of the ledger lists what was made in one hour; pages that an
   earlier key of ours signed need that key. No line from any of these but gpg's:

   cd records
   for page in ledger/*/*/*/*.json; do gpg --quiet --verify "$page.asc" "$page" || echo "BAD: $page"; done
   sed -n 's/^ *"\\(.*\\)": "\\([0-9a-f]\\{{64\\}}\\)",\\{{0,1\\}}$/\\2  \\1/p' ledger/*/*/*/*.json | \\
       sha256sum --check --ignore-missing --quiet

   "previous" in a page is the SHA-256 of the page before: sha256sum ledger/*/*/*/*.json

The pages also name records of other hours, which are not in here. Whether one of those is missing takes a copy of the
whole records bucket: python -m pipeline verify-records COPY --key OUR-KEY.asc. verification.json has what that
said when this archive was made.
"""


def pack(report: Report, public_keys: Mapping[str, bytes], sign: Callable[[bytes], bytes], target: IO[bytes]) -> None:
    """Write the archive. `public_keys` by fingerprint, the first of them that which signs; `sign` as in the ledger."""
    files = dict(sorted(_files(report, public_keys).items()))
    sums = "".join(_line(name, content) for name, content in files.items()).encode()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**files, SUMS: sums, f"{SUMS}.asc": sign(sums)}.items():
            entry = zipfile.ZipInfo(name, EARLIEST)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)


def _files(report: Report, public_keys: Mapping[str, bytes]) -> dict[str, bytes]:
    gathered, figures = report.gathered, dataclasses.asdict(report.figures)
    readme = README.format(
        partner=report.partner,
        project=report.project,
        start=rfc3339(gathered.window.start),
        end=rfc3339(gathered.window.end),
        fingerprint=next(iter(public_keys)),
    )
    return {
        "README.txt": readme.encode(),
        "index.html": page(report).encode(),
        "deliveries.csv": _deliveries(gathered),
        "figures.json": _json({**figures, "keys_now": report.keys, "accesses": report.accesses}),
        "verification.json": _json(gathered.proof),
        **{f"keys/{fingerprint}.asc": key for fingerprint, key in public_keys.items()},
        **{f"{RECORDS}{name}": content for name, content in gathered.contents.items()},
    }


def _json(value: object) -> bytes:
    return to_json(value, indent=1) + b"\n"


def _deliveries(gathered: Gathered) -> bytes:
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\r\n")
    lines.writerow(HEADER)
    for story in gathered.stories:
        cell = story.cell
        late = None if cell.late is None else f"{cell.late.total_seconds() / 60:.1f}"
        figures = (cell.state, cell.revision, cell.rows, cell.bytes, cell.sealed_bytes, late, "; ".join(cell.problems))
        lines.writerow((cell.slot.dataset, rfc3339(cell.slot.window.start), *figures))
    return text.getvalue().encode()


def _line(name: str, content: bytes) -> str:
    """A line as sha256sum writes it: a name with a backslash or a line break is escaped, and the line begins so."""
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    mark = "\\" if escaped != name else ""
    return f"{mark}{hashlib.sha256(content).hexdigest()}  {escaped}\n"
