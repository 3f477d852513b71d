"""The deployed function, watched: after every message it also logs which threads of the run are still there.

Served instead of `main.py` (with the repository on PYTHONPATH); the message is handled by `main.handle`, unchanged.
"""

from __future__ import annotations

import json
import sys
import threading
import time

import functions_framework
from flask import Request
from flask.typing import ResponseReturnValue

import main
from pipeline.streams.background import PREFIX

PATIENCE = 10.0
"""Seconds that a thread may take to notice that its gpg is gone."""


@functions_framework.http
def handle(request: Request) -> ResponseReturnValue:
    """As `main.handle`."""
    try:
        return main.handle(request)
    finally:
        until = time.monotonic() + PATIENCE
        while (left := _left()) and time.monotonic() < until:
            time.sleep(0.01)
        sys.stdout.write(json.dumps({"threads": left}) + "\n")
        sys.stdout.flush()


def _left() -> list[str]:
    return sorted(one.name for one in threading.enumerate() if one.name.startswith(PREFIX))
