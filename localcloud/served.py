"""functions-framework as the cloud serves it: gunicorn's gthread worker. `python -P served.py SOURCE HOST PORT`.

The command `functions-framework` chooses that worker only where a process may take several requests at a time; an
instance of ours takes one. A process that works accepts no second connection, which would wait there while another
process is idle: Cloud Run gives a request to an idle instance. A program of its own, so that it also serves a source
that has no local cloud beside it.
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
    one = {"worker_class": "gthread", "threads": 1, "worker_connections": 1}
    GunicornApplication(app, host, int(port), False, **one).run()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
