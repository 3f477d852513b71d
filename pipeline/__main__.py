"""`python -m pipeline COMMAND`: what the person on call types. `--help` lists the commands."""

from __future__ import annotations

import difflib
import importlib
import sys
from pathlib import Path
from typing import Final

import click

from pipeline import CHAIN, VERSION
from pipeline.cli.session import EXIT_CODES

COMMANDS: Final = {
    "status": "status",
    "deliver": "deliver",
    "republish": "republish",
    "certify": "certify",
    "collect": "collect",
    "keys": "keys",
    "open": "open",
    "verify-setup": "verify_setup",
    "verify-records": "verify_records",
    "evidence": "evidence",
    "where": "where",
    "contract": "contract",
    "chain": "chain",
}
"""Command -> module under pipeline.cli, loaded when it is wanted."""


class Commands(click.Group):
    """The commands, each imported on first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they are met, not by name."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name; None where there is none."""
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"pipeline.cli.{COMMANDS[cmd_name]}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is typed. Raises UsageError with the likeliest one, but not where a shell completes."""
        if args[0] not in COMMANDS and not ctx.resilient_parsing:
            close = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {close[0]}?" if close else " See --help for the commands."
            raise click.UsageError(f"There is no command {args[0]}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The chain as a table, then the exit codes."""
        with formatter.section("The chain"):
            formatter.write_dl([(step.step, f"{step.takes} -> {step.gives}") for step in CHAIN])
        super().format_epilog(ctx, formatter)


@click.command(cls=Commands, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, message="%(version)s")
def main() -> None:
    """Share hourly changes of BigQuery datasets with the partner, and prove it.

    Every command reads its settings from the environment, as the function does; the deployment guide lists them. A
    command that lacks one names it. All times are UTC.

    \b
    Where does everything stand?      python -m pipeline status
    One hour in full                  python -m pipeline status payments 2026-11-23T13:00:00Z
    Do an hour again                  python -m pipeline republish --start 2026-11-23T13:00:00Z --revise
    Is all in place for a first run?  python -m pipeline verify-setup
    """


def entry() -> None:
    """Run the commands under the name that people type: the installed script's, or the module's."""
    installed = Path(sys.argv[0]).name
    main(prog_name="python -m pipeline" if installed == "__main__.py" else installed)


if __name__ == "__main__":
    entry()
