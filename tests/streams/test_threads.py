"""Threads of the pipeline can be told from all others by their names."""

from __future__ import annotations

import ast
import threading
import time
from typing import Final

from localcloud.processes import repository
from pipeline.pgp.keyring import Keyring
from pipeline.streams import background
from tests.keyrings import busy


def test_threads_of_a_pool_and_single_ones_have_the_prefix() -> None:
    def name() -> str:
        return threading.current_thread().name

    with background.pool("readers", 2) as pool:
        assert pool.submit(name).result() == "pspp-readers_0"
    names: list[str] = []
    background.start("one", lambda: names.append(name())).join()
    assert names == ["pspp-one"]


class Watching:
    """A file that ends once all threads of python-gnupg have been seen."""

    NAMES: Final = frozenset({"pspp-gpg-input", "pspp-gpg-status", "pspp-gpg-output"})

    def read(self, _size: int) -> bytes:
        end = time.monotonic() + 20
        while not {thread.name for thread in threading.enumerate()} >= self.NAMES:
            assert time.monotonic() < end
        return b""


def test_threads_of_python_gnupg_have_the_prefix(keys: Keyring) -> None:
    keys.gpg.decrypt_file(Watching())
    assert busy(keys.home) == []


def test_no_module_starts_a_thread_without_a_name_of_this_kind() -> None:
    starting = set()
    for file in (repository() / "pipeline").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("Thread", "ThreadPoolExecutor")):
                starting.add(file.name)
    assert starting == {"background.py"}
