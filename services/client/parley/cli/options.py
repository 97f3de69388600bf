"""Options that several subcommands share."""

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


class EndState(StrEnum):
    """The states of a job that has ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Queue(StrEnum):
    """The queues of jobs."""

    INTERACTIVE = "interactive"
    BATCH = "batch"


class TurnFormat(StrEnum):
    """How turns are printed or written."""

    TABLE = "table"
    JSON = "json"
    TXT = "txt"
    MD = "md"
    VTT = "vtt"
    SRT = "srt"
    CSV = "csv"
    RTTM = "rttm"
    TEXTGRID = "textgrid"
    EAF = "eaf"
    AUDACITY = "audacity"
    DIARIZED_JSON = "diarized_json"
    SVG = "svg"
    PNG = "png"

    @property
    def extension(self) -> str:
        """Of the files in this format."""
        return {"textgrid": "TextGrid", "audacity": "labels.txt", "diarized_json": "diarized.json"}.get(self, self)


def terminal_of(ctx: typer.Context) -> Terminal:
    """Return a terminal with the server that `parley --url` names."""
    return Terminal(ctx.obj)


def duration_option(text: str) -> timedelta:
    """Parse a duration. Raises BadParameter if it is invalid."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, for errors too.")]
JobId = Annotated[str, typer.Argument(metavar="ID", help="Job id or a prefix of it.", show_default=False)]
JobIds = Annotated[list[str], typer.Argument(metavar="ID", help="Job ids or prefixes.", show_default=False)]
QueueOption = Annotated[
    Queue | None, typer.Option("--queue", help="`interactive` if a person waits for the result, else `batch`.")
]
Reference = Annotated[str | None, typer.Option(metavar="TEXT", help="Your own name for the conversation.")]
