"""The tables of variables, outputs and costs in terraform/README.md.

`python -m tests.terraform.tables` writes them; a test compares. Variables and outputs are read from the configuration's
text as `terraform fmt` leaves it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from . import cost
from .offline import ROOT

FOLDER: Final = ROOT / "terraform"
README: Final = FOLDER / "README.md"

_FIELD: Final = re.compile(r"^    (\w+) += (\S.*?)(?: +# (.*))?$", re.M)
_OPTIONAL: Final = re.compile(r"optional\((.*?)(?:, (.*))?\)$")


def variables() -> str:
    """A row for each variable, and under an object one for each of its attributes."""
    files = (FOLDER / "module" / name for name in ("variables.tf", "variables_keeping.tf"))
    rows = [row for file in files for row in _rows(file.read_text(encoding="utf-8"))]
    return "\n".join(["| variable | type | default | meaning |", "|---|---|---|---|", *rows])


def outputs() -> str:
    """A row for each output."""
    text = (FOLDER / "outputs.tf").read_text(encoding="utf-8")
    pairs = re.findall(r'^output "(\w+)" \{\n  description = "(.*)"$', text, re.M)
    return "\n".join(["| output | meaning |", "|---|---|", *(f"| `{name}` | {_cell(text)} |" for name, text in pairs)])


def put_in(readme: str) -> str:
    """The README with its tables as they are now."""
    for name, table in (
        ("variables", variables()),
        ("outputs", outputs()),
        ("cost", cost.table()),
        ("compression", cost.compressions()),
    ):
        begin, end = f"<!-- {name}: python -m tests.terraform.tables -->\n", f"\n<!-- end of {name} -->"
        before, rest = readme.split(begin)
        readme = f"{before}{begin}{table}{end}{rest.split(end)[1]}"
    return readme


def _rows(text: str) -> Iterator[str]:
    for name, block in re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', text, re.M | re.S):
        (description,) = re.findall(r'^  description = "(.*)"$', block, re.M)
        default = re.search(r"^  default += (.*)$", block, re.M)
        is_object = re.search(r"^  type += object\(\{\n(.*?)^  \}\)$", block, re.M | re.S)
        kind = "object" if is_object else re.findall(r"^  type += (.*)$", block, re.M)[0]
        yield _row(name, kind, default[1] if default else "*needed*", description)
        for field, written, comment in _FIELD.findall(is_object[1]) if is_object else ():
            optional = _OPTIONAL.match(written)
            kind, value = (optional[1], optional[2] or "null") if optional else (written, "*needed*")
            yield _row(f"{name}.{field}", kind, value, comment)


def _row(name: str, kind: str, default: str, meaning: str) -> str:
    shown = default if default.startswith("*") else f"`{default}`"
    return f"| `{name}` | {kind} | {shown} | {_cell(meaning)} |"


def _cell(text: str) -> str:
    return text.replace('\\"', '"').replace("|", "\\|")


def main() -> None:
    """Write the tables."""
    README.write_text(put_in(README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
