"""Memory stays flat: the process is set up so before Arrow is there."""

from __future__ import annotations

import os
import subprocess
import sys

from localcloud.processes import repository


def test_whoever_imports_the_pipeline_gets_arrow_s_system_pool() -> None:
    program = "import pipeline.deliver.rows, pyarrow; print(pyarrow.default_memory_pool().backend_name)"
    environment = {name: value for name, value in os.environ.items() if name != "ARROW_DEFAULT_MEMORY_POOL"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=repository(), env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "system"
