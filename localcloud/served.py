"""functions-framework as the cloud serves it: gunicorn's gthread worker. `python -P served.py SOURCE HOST PORT`.

The command `functions-framework` chooses that worker only where a process may take several requests at a time; an
instance of ours takes one. A program of its own, so that it also serves a source that has no local cloud beside it.
"""

from __future__ import annotations

import os
import sys

from functions_framework import create_app
from functions_framework._http.gunicorn import GunicornApplication


def main() -> None:
    """Serve until it is ended."""
    source, host, port = sys.argv[1:]
    app = create_app("handle", source, os.environ["FUNCTION_SIGNATURE_TYPE"])  # type: ignore[no-untyped-call]  # has no types
    server = GunicornApplication(app, host, int(port), False, worker_class="gthread", threads=1)  # type: ignore[no-untyped-call]
    server.run()


if __name__ == "__main__":
    main()
