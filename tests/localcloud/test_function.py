"""The local function is served as the cloud serves it."""

from __future__ import annotations

from pathlib import Path

import psutil
import requests

from localcloud.function import Function

SOURCE = """
import functions_framework, threading
from gunicorn.workers.gthread import ThreadWorker

@functions_framework.http
def handle(request):
    import gc
    workers = [one for one in gc.get_objects() if isinstance(one, ThreadWorker)]
    return {"gthread": len(workers), "main": threading.current_thread() is threading.main_thread()}
"""


def test_requests_are_served_by_gunicorns_gthread_worker(tmp_path: Path) -> None:
    source = tmp_path / "main.py"
    source.write_text(SOURCE)
    function = Function({}, tmp_path / "log", source=source).start()
    try:
        assert requests.post(function.url, json={}, timeout=30).json() == {"gthread": 1, "main": False}
        assert function.process is not None
        assert len(psutil.Process(function.process.pid).children()) == 1
    finally:
        function.stop()
