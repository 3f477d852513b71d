"""HTTP keeps to the budget: nothing begins when time is over, nothing outlasts it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import requests
from google.auth.credentials import AnonymousCredentials
from requests.adapters import HTTPAdapter

from pipeline.budget import Budget
from pipeline.clients.deadline import bounded_session
from pipeline.errors import OutOfTime


@pytest.fixture
def silent_server() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: list[socket.socket] = []

        def accept() -> None:
            try:
                while True:
                    taken.append(server.accept()[0])
            except OSError:
                return

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection in taken:
            connection.close()


def bounded(seconds: float) -> requests.Session:
    """A session of a run that has so long."""
    return bounded_session(AnonymousCredentials(), HTTPAdapter(), Budget.of(seconds))


def test_a_request_that_was_given_a_long_timeout_ends_with_the_budget(silent_server: str) -> None:
    with bounded(0.3) as session:
        began = time.monotonic()
        with pytest.raises(requests.Timeout):
            session.get(silent_server, timeout=120)
        assert time.monotonic() - began < 60


def test_no_request_is_begun_when_the_budget_is_over(silent_server: str) -> None:
    with bounded(-1) as session, pytest.raises(OutOfTime):
        session.get(silent_server, timeout=120)


def test_a_shorter_timeout_that_was_given_holds(silent_server: str) -> None:
    with bounded(60) as session, pytest.raises(requests.Timeout):
        session.get(silent_server, timeout=0.2)


def test_two_runs_share_connections_and_each_keeps_to_its_own_budget(silent_server: str) -> None:
    pool = HTTPAdapter()
    over, lasting = (bounded_session(AnonymousCredentials(), pool, Budget.of(seconds)) for seconds in (-1, 60))
    with pytest.raises(OutOfTime):
        over.get(silent_server)
    over.close()
    with pytest.raises(requests.Timeout):
        lasting.get(silent_server, timeout=0.2)
