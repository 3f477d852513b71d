"""The time of an instance's start is taken from its first request, and from no other."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pipeline.clients import process
from pipeline.clients.process import LONGEST_START, Start


def test_only_the_first_request_waited_for_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "age", lambda: 7.5)
    start = Start()
    assert [start.took(), start.took(), start.took()] == [7.5, 0, 0]


def test_an_instance_that_waited_for_its_first_request_has_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "age", lambda: LONGEST_START + 1)
    assert Start().took() == 0


def test_the_age_is_that_of_the_server_that_forked_the_process() -> None:
    program = (
        "import os, time\n"
        "time.sleep(1)\n"
        "if os.fork() == 0:\n"
        "    from pipeline.clients.process import age\n"
        "    print(age())\n"
        "else:\n"
        "    os.wait()\n"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert 0.9 < float(printed) < 60
