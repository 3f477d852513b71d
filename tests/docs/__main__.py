"""`python -m tests.docs`: write the generated tables of docs/reference.md anew."""

from __future__ import annotations

from tests.docs.reference import REFERENCE, with_tables

REFERENCE.write_text(with_tables(REFERENCE.read_text(encoding="utf-8")), encoding="utf-8")
