"""Memory stays flat: the process is set up so before Arrow is there."""

from __future__ import annotations

import gc
import os
import subprocess
import sys

import pytest

from localcloud.processes import repository
from pipeline.streams.memory import kept_for_good


def test_whoever_imports_the_pipeline_gets_arrow_s_system_pool() -> None:
    program = "import pipeline.deliver.rows, pyarrow; print(pyarrow.default_memory_pool().backend_name)"
    environment = {name: value for name, value in os.environ.items() if name != "ARROW_DEFAULT_MEMORY_POOL"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=repository(), env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "system"


def test_what_the_function_imports_is_never_looked_through_for_garbage_and_what_comes_later_is() -> None:
    program = "import gc, main; print(gc.isenabled(), gc.get_freeze_count() > len(gc.get_objects()))"
    done = subprocess.run([sys.executable, "-c", program], cwd=repository(), capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]


def test_garbage_is_collected_again_after_an_import_that_failed() -> None:
    def failing() -> None:
        with kept_for_good():
            raise ImportError

    try:
        with pytest.raises(ImportError):
            failing()
        assert gc.isenabled()
    finally:
        gc.unfreeze()
