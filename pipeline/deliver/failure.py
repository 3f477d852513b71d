"""How attempts fail, recorded: so that whoever finds a delivery stuck knows of what without searching logs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Final

from pipeline.budget import Budget
from pipeline.errors import PipelineError
from pipeline.messages import Request
from pipeline.records.schema import Failed
from pipeline.run import Run

SECONDS: Final = 5.0
"""What recording may take; the run's own time may be over."""


@contextmanager
def noted(request: Request, run: Run) -> Iterator[None]:
    """Record an error of the block that is retried, with the delivery that the request is about; it is raised on.

    What is final has a record of its own, or the rejected topic. Where the records cannot be written the error itself
    is still in the log.
    """
    try:
        yield
    except PipelineError as error:
        if error.retryable and len(slots := request.slots()) == 1:
            last = replace(run, budget=Budget.of(SECONDS))
            with suppress(PipelineError):
                last.records.folder(slots[0]).latest.add_failure(
                    Failed(
                        attempt=run.attempt,
                        stage=error.stage,
                        code=error.code,
                        retryable=error.retryable,
                        reason=error.message,
                    )
                )
        raise
