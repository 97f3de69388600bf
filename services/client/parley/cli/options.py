"""Options that several commands share."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import typer

from parley.cli.durations import parse_duration
from parley.cli.terminal import Terminal


class State(StrEnum):
    """The states of a job."""

    ACCEPTED = "accepted"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Queue(StrEnum):
    """The queues a job can wait in."""

    INTERACTIVE = "interactive"
    BATCH = "batch"


class Format(StrEnum):
    """How turns are printed or written."""

    TABLE = "table"
    JSON = "json"
    RTTM = "rttm"


def terminal_of(ctx: typer.Context) -> Terminal:
    """Return the terminal that the command was started with."""
    terminal = ctx.obj
    assert isinstance(terminal, Terminal), "the group sets it before any command"
    return terminal


def duration_option(text: str) -> timedelta:
    """Parse an option's duration; a wrong one is a usage error."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else there.")]
JobId = Annotated[str, typer.Argument(metavar="ID", help="The job.", show_default=False)]
JobIds = Annotated[list[str], typer.Argument(metavar="ID...", help="The jobs.", show_default=False)]
WhichQueue = Annotated[Queue | None, typer.Option(help="interactive: a person waits. batch: nobody does.")]
WhichState = Annotated[State | None, typer.Option(help="Only jobs in this state.")]
Reference = Annotated[str | None, typer.Option(help="Your own name for the conversation.")]
