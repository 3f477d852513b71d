"""dbt in a process that stays: it is started and the project is parsed once, not before every run.

Runs in `.venv-dbt`. Takes lines of JSON, `{"command": [...], "environment": {...}, "parsed": "what was parsed"}`, and
answers each with `{"succeeded": true, "printed": "..."}`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from dbt.adapters.duckdb.connections import DuckDBConnectionManager  # type: ignore[import-not-found]
from dbt.cli.main import dbtRunner  # type: ignore[import-not-found]

_parsed: dict[str, Any] = {}


def answer(command: list[str], environment: dict[str, str], parsed: str) -> dict[str, Any]:
    """Run one command of dbt. The project is parsed when `parsed` is new."""
    os.environ.clear()
    os.environ.update(environment)
    printed: list[str] = []

    def note(event: Any) -> None:
        if event.info.level in {"info", "warn", "error"}:
            printed.append(event.info.msg)

    if parsed not in _parsed:
        options = command[command.index("--project-dir") :]
        made = dbtRunner(callbacks=[note]).invoke(["parse", *options])
        if not made.success:
            return {"succeeded": False, "printed": "\n".join([*printed, str(made.exception or "")])}
        _parsed[parsed] = made.result
        if command[0] == "parse":
            return {"succeeded": True, "printed": "\n".join(printed)}
    ended = dbtRunner(manifest=_parsed[parsed], callbacks=[note]).invoke(command)
    DuckDBConnectionManager.close_all_connections()  # the file is for whoever looks at what was built
    return {"succeeded": ended.success, "printed": "\n".join([*printed, str(ended.exception or "")])}


def main() -> None:
    """Answer until the input ends. What dbt itself writes to its output is not kept."""
    answers = sys.stdout
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        sys.stdout = nowhere
        for line in sys.stdin:
            print(json.dumps(answer(**json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
