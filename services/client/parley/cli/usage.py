"""`parley usage`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from parley.cli.options import AsJson, terminal_of
from parley.tenant import UsageOfDay

COLUMNS = ("DAY", "QUEUE", "SUCCEEDED", "FAILED", "CANCELLED", "AUDIO HOURS", "ENGINE HOURS")

First = Annotated[
    datetime | None,
    typer.Option(
        "--first",
        formats=["%Y-%m-%d"],
        metavar="DAY",
        help="First day, in UTC; by default that of the month of --last.",
    ),
]
Last = Annotated[
    datetime | None, typer.Option("--last", formats=["%Y-%m-%d"], metavar="DAY", help="Last day; by default today.")
]


FileFormat = Annotated[
    str | None,
    typer.Option("--format", metavar="FORMAT", help="`focus`: CSV by FOCUS 1.2, for tools that report costs."),
]


def usage(
    ctx: typer.Context,
    first: First = None,
    last: Last = None,
    file_format: FileFormat = None,
    as_json: AsJson = False,
) -> None:
    """Show what your tenant has used in a period.

    That is: by day and queue the jobs that ended, the length of the recordings of those that succeeded, and the time of
    the engine on them.
    """
    terminal = terminal_of(ctx)
    if file_format not in (None, "focus"):
        raise typer.BadParameter("The only format is `focus`.", param_hint="--format")
    if file_format and as_json:
        raise typer.BadParameter("--json and --format do not go together.", param_hint="--format")
    period = (first.date() if first else None, last.date() if last else None)
    with terminal.parley() as parley:
        if file_format:
            typer.echo(parley.focus_usage(*period), nl=False)
            return
        found = parley.usage(*period)
    if as_json:
        terminal.print_json(found.document)
    elif not found.days:
        terminal.say(f"No job ended from {found.first} to {found.last}.")
    else:
        terminal.print_table(COLUMNS, [_row(used) for used in (*found.days, found.total)])


def _row(used: UsageOfDay) -> tuple[str, ...]:
    hours = (f"{seconds / 3600:.2f}" for seconds in (used.audio_seconds, used.engine_seconds))
    counts = (str(used.succeeded), str(used.failed), str(used.cancelled))
    return str(used.day or "total"), used.queue or "", *counts, *hours
