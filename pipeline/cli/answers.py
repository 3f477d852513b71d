"""Have the function carry out an action, where the keys and the allow-listed address are, and wait for its answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from pipeline.cli.session import Session

PATIENCE: Final = 600
"""Seconds that a command waits by default: a run of the function, and the start of a container."""

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 1.0
"""Seconds between two looks for the answer: short ones at first, each longer than the last."""

READING: Final = ("google_cloud_project", "records_bucket")
ASKING: Final = (*READING, "topic")
"""Settings without which nothing can be read, or asked of the function."""

R = TypeVar("R")


def answered_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a command that the function carries out."""
    options = (
        click.option("--here", is_flag=True, help="Run in this process, with your own rights and from your address."),
        click.option(
            "--wait",
            default=PATIENCE,
            show_default=True,
            type=click.IntRange(1, 86_400),
            metavar="SECONDS",
            help="How long to wait for the function's answer.",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def ask(session: Session, content: bytes, result: type[R], wait: int) -> R:
    """Publish a message that asks for an answer, and wait for it.

    `result` is the type of what the action returns. Raises AnswerMissing where there is none in time, and the error
    that ended the action in the function.
    """
    from pydantic import TypeAdapter

    from pipeline.errors import AnswerMissing, PipelineError, kinds

    run = session.run()
    session.announce(f"asking the function by {run.settings.topic}")
    run.topics.publish(run.settings.topic, [content])
    end = time.monotonic() + wait
    pause = FIRST_PAUSE
    while (answer := session.run().records.answer(session.id)) is None:
        if time.monotonic() > end:
            raise AnswerMissing(f"The function has not answered {session.id} within {wait} s.")
        time.sleep(pause)
        pause = min(1.5 * pause, LONGEST_PAUSE)
    if answer.failure is not None:
        known = {kind.code: kind for kind in kinds()}
        raise known.get(answer.failure.code, PipelineError)(answer.failure.message)
    return TypeAdapter(result).validate_python(answer.result)
