"""HTTP keeps to the budget: nothing begins when time is over, nothing outlasts it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import requests

from pipeline.budget import Budget
from pipeline.clients.deadline import bound_to_budget
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


def test_a_request_that_was_given_a_long_timeout_ends_with_the_budget(silent_server: str) -> None:
    with requests.Session() as session:
        bound_to_budget(session).budget = Budget.of(0.3)
        began = time.monotonic()
        with pytest.raises(requests.Timeout):
            session.get(silent_server, timeout=120)
        assert time.monotonic() - began < 5


def test_no_request_is_begun_when_the_budget_is_over(silent_server: str) -> None:
    with requests.Session() as session:
        bound_to_budget(session).budget = Budget.of(-1)
        with pytest.raises(OutOfTime):
            session.get(silent_server, timeout=120)


def test_without_a_budget_the_timeout_that_was_given_holds(silent_server: str) -> None:
    with requests.Session() as session:
        bound_to_budget(session)
        with pytest.raises(requests.Timeout):
            session.get(silent_server, timeout=0.2)
