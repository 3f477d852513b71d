"""What every command has: settings and clients, `--json`, `--log`, and an exit code instead of a traceback.

Heavy imports stand inside functions, so that `--help` answers at once.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

import click

from pipeline import log
from pipeline.errors import ContractInvalid, MessageRejected, PipelineError, SettingsInvalid

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.messages import Action, Request
    from pipeline.run import Deployment, Run
    from pipeline.streams.progress import Observe

OK: Final = 0
ATTENTION: Final = 1
USAGE: Final = 2
RETRYABLE: Final = 3
PERMANENT: Final = 4
INTERRUPTED: Final = 130
BROKEN_OFF: Final = (
    "Broken off. What was recorded until now stays, and the next message or command goes on from there; an upload that "
    "was under way is sent again. See where it stands: python -m pipeline status."
)

PATIENCE: Final = 30.0
"""Seconds after which a person at a terminal hears that a service does not answer."""

EXIT_CODES: Final = """\b
Exit codes:
  0  done, and nothing needs attention
  1  done, and something needs attention
  2  the command line or the environment says something that cannot be carried out
  3  an error that may be gone when the command is repeated
  4  an error that stays until somebody fixes its cause
  130  you broke it off
"""

_CALLERS_MISTAKES: Final = (MessageRejected, SettingsInvalid, ContractInvalid)


class Session:
    """One run of a command: where it writes, and the cloud that the environment names, connected on first use."""

    def __init__(self, *, as_json: bool, env_file: Path | None = None) -> None:
        self.as_json = as_json
        self.env_file = env_file
        self.needed: Collection[str] | None = None
        """The fields of Settings that the command uses; None: all. To be set before the first use of `deployment`."""
        self.id = f"command-{uuid.uuid4().hex[:12]}"

    @functools.cached_property
    def deployment(self) -> Deployment:
        """Raises SettingsInvalid, ContractInvalid with everything that is wrong."""
        from dotenv import dotenv_values

        from pipeline import settings

        written: dict[str, str] = {}
        if self.env_file:  # wins over what is left in the shell, perhaps of another deployment
            read = dotenv_values(self.env_file, interpolate=False)
            written = {name: value for name, value in read.items() if value is not None}
            for name in settings.ENDPOINTS:  # libraries read them from the process; unnamed is the cloud's
                os.environ.pop(name, None)
            os.environ.update({name: written[name] for name in settings.ENDPOINTS if name in written})
        given = {**os.environ, **written}
        known = settings.from_environment(given, needed=self.needed)  # a setting that is missing is said at once
        from pipeline.run import Deployment

        return Deployment(known)

    @functools.cached_property
    def console(self) -> Console:
        """Where people read: stdout."""
        from rich.console import Console

        return Console(highlight=False)

    @functools.cached_property
    def aside(self) -> Console:
        """Progress, questions and errors: stderr, so that stdout stays clean."""
        from rich.console import Console

        return Console(stderr=True, highlight=False)

    def run(self, observe: Observe | None = None, *, seconds: float | None = None) -> Run:
        """One invocation's view with a time budget of its own; without `seconds`, as the function has for a message."""
        from pipeline.budget import Budget
        from pipeline.run import Run
        from pipeline.streams.progress import unobserved

        deployment = self.deployment
        budget = Budget.of(seconds or deployment.settings.time_budget_seconds, patience=PATIENCE)
        return Run(deployment, budget, observe=observe or unobserved, typed=True)

    def announce(self, doing: str) -> None:
        """Say on stderr which project and partner the command acts on, before it does."""
        settings = self.deployment.settings
        partner = f"{settings.sftp_user}@{settings.sftp_host}" if settings.sftp_host else "(SFTP_HOST is not set)"
        click.echo(f"Project {settings.google_cloud_project}, partner {partner}: {doing}.", err=True)

    def request(
        self, action: Action, start: str | None, end: str | None, datasets: tuple[str, ...], **flags: bool
    ) -> Request:
        """The request that a message with these words would make; read by the same rules. Raises MessageRejected."""
        return self._read(self._content(action, start, end, datasets, **flags))

    def question(
        self, action: Action, start: str | None, end: str | None, datasets: tuple[str, ...], **flags: bool
    ) -> bytes:
        """The message with these words that asks for an answer, under this session's id. Raises MessageRejected."""
        content = self._content(action, start, end, datasets, cause=self.id, answer=True, **flags)
        self._read(content)
        return content

    def _content(
        self, action: Action, start: str | None, end: str | None, datasets: tuple[str, ...], **more: str | bool
    ) -> bytes:
        payload: dict[str, object] = {"action": action, **{name: value for name, value in more.items() if value}}
        if start is not None:
            first = _in_utc(start)
            payload["window"] = {"start": first, "end": _an_hour_after(first) if end is None else _in_utc(end)}
        elif end is not None:
            raise click.UsageError("--end needs --start.")
        if datasets:
            payload["datasets"] = list(datasets)
        return json.dumps(payload).encode()

    def _read(self, content: bytes) -> Request:
        from pipeline import messages

        now = datetime.now(UTC)
        return messages.read(
            content,
            message_id=self.id,
            published=now,
            now=now,
            known=list(self.deployment.datasets),
            max_age=timedelta.max,
        )

    def say(self, text: str) -> None:
        """One line for people, with rich's markup; never broken, so that it can be searched."""
        self.console.print(text, soft_wrap=True)

    def write(self, value: object) -> None:
        """One JSON document on stdout."""
        click.echo(json.dumps(value, indent=2, default=str))

    def complain_of(self, text: str) -> None:
        """One line on stderr about something that is no error."""
        click.echo(text, err=True)

    def complain(self, error: PipelineError) -> int:
        """Say one error on stderr, and on stdout for `--json`; the exit code that it leads to."""
        place = " ".join(part for part in (error.stage, error.delivery) if part)
        text = f"{place}: {error.message}" if place else error.message
        click.echo(f"Error [{error.code}] {text.strip()}", err=True)
        if self.as_json:
            self.write({"error": {"code": error.code, "message": text, "retryable": error.retryable}})
        return exit_code(error)


def plain(text: object) -> str:
    """Text from outside as rich shows it just so: no markup of its own, nothing that steers a terminal."""
    from rich.markup import escape

    return escape("".join(char if char.isprintable() or char == "\n" else "?" for char in str(text)))


def exit_code(error: PipelineError) -> int:
    """The exit code that an error leads to."""
    if isinstance(error, _CALLERS_MISTAKES):
        return USAGE
    return RETRYABLE if error.retryable else PERMANENT


def operator(function: Callable[..., int]) -> Callable[..., None]:
    """Make a function of a Session and options a command's callback: it gives the exit code, errors are said."""

    @click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout instead of text.")
    @click.option(
        "--env-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Settings, as `terraform output -raw operator_env` prints them; they win over the environment.",
    )
    @click.option("--log", "log_to", metavar="FILE|-", help="Write the structured events to FILE, or to stderr with -.")
    @click.pass_context
    @functools.wraps(function)
    def callback(
        context: click.Context, /, *, as_json: bool, env_file: Path | None, log_to: str | None, **options: Any
    ) -> None:
        session = Session(as_json=as_json, env_file=env_file)
        try:
            with _events(log_to), log.bound(message_id=session.id):
                code = function(session, **options)
        except PipelineError as error:
            code = session.complain(error)
        except KeyboardInterrupt:
            click.echo(BROKEN_OFF, err=True)
            code = INTERRUPTED
        context.exit(code)

    return callback


def window_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that name windows and datasets."""
    return _with(
        function,
        click.option("--start", metavar="TIME", help="First hour, such as 2026-11-23T13:00:00Z."),
        click.option("--end", metavar="TIME", help="Where the window ends; without it, an hour after --start."),
        click.option("--dataset", "datasets", multiple=True, metavar="NAME", help="Only this one; may stand twice."),
    )


def delivery_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what to deliver, how, and whether to ask before."""
    asked = _with(
        function,
        click.option("--resend", is_flag=True, help="Send the same sealed bytes again."),
        click.option("--revise", is_flag=True, help="Extract anew, as the next revision."),
        click.option("--yes", is_flag=True, help="Do not ask."),
    )
    return window_options(asked)


def _with(
    function: Callable[..., Any], *options: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> Callable[..., Any]:
    """The function with the options, shown in their order."""
    for option in reversed(options):
        function = option(function)
    return function


@contextmanager
def _events(log_to: str | None) -> Iterator[None]:
    with ExitStack() as ending:
        stream: TextIO | None = sys.stderr if log_to == "-" else None
        if log_to not in (None, "-"):
            try:
                stream = ending.enter_context(Path(str(log_to)).open("a", encoding="utf-8"))
            except OSError as error:
                raise click.UsageError(f"--log: {log_to} cannot be written: {error.strerror}.") from None
        ending.enter_context(log.written_to(stream))
        yield


def as_instant(option: str, text: str | None) -> datetime | None:
    """The time that an option gives, UTC where it has no offset; None where it is not given. Raises UsageError."""
    try:
        return None if text is None else datetime.fromisoformat(_in_utc(text)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise click.UsageError(f"{option}: {text} is not a time such as 2026-11-23T13:00:00Z.") from None


def _in_utc(text: str) -> str:
    """A time as the grid prints it, without an offset, is UTC; any other text is left to the reader of requests."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return text
    return text if instant.tzinfo else instant.replace(tzinfo=UTC).isoformat()


def _an_hour_after(start: str) -> str:
    """An hour later; what is no time is left to the reader of requests, who says so."""
    try:
        return (datetime.fromisoformat(start) + timedelta(hours=1)).isoformat()
    except (ValueError, OverflowError):
        return ""
