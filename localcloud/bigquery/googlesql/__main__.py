"""Compile the engine where it is not compiled yet; part of `make setup`."""

from __future__ import annotations

import sys

from . import engine


def main() -> None:
    """Half a minute the first time, nothing afterwards."""
    if engine.installed():
        engine.compiled()
    else:
        sys.stderr.write(
            "GoogleSQL's engine is not installed: the local BigQuery will accept SQL that Google refuses.\n"
        )


if __name__ == "__main__":
    main()
