"""The local function is served as the cloud serves it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
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


HOLDING = """
import functions_framework, pathlib, time

@functions_framework.http
def handle(request):
    wanted = request.get_json()
    pathlib.Path(wanted["began"]).touch()
    while wanted["until"] and not pathlib.Path(wanted["until"]).exists():
        time.sleep(0.01)
    return "done"
"""


def test_a_request_never_waits_behind_a_busy_instance_while_another_is_idle(tmp_path: Path) -> None:
    """As Cloud Run routes at a concurrency of one: an instance that works takes no second request."""
    source, began, end = tmp_path / "main.py", tmp_path / "began", tmp_path / "end"
    source.write_text(HOLDING)
    function = Function({}, tmp_path / "log", workers=2, source=source).start()

    def post(began: Path, until: str) -> int:
        return requests.post(function.url, json={"began": str(began), "until": until}, timeout=30).status_code

    try:
        with ThreadPoolExecutor(9) as pool:
            held = pool.submit(post, began, str(end))
            while not began.exists():
                assert not held.done()
            try:
                quick = [pool.submit(post, tmp_path / f"quick-{n}", "") for n in range(8)]
                assert [one.result() for one in quick] == [200] * 8
            finally:
                end.touch()
            assert held.result() == 200
    finally:
        function.stop()
