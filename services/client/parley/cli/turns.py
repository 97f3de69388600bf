"""`parley turns`: who spoke when."""

from __future__ import annotations

from typing import Annotated

import typer

from parley.cli.options import AsJson, Format, JobId, terminal_of
from parley.cli.showing import show_turns

TurnsFormat = Annotated[Format, typer.Option("--format", help="table is for the eye, rttm and json for programs.")]


def turns(ctx: typer.Context, job_id: JobId, turns_format: TurnsFormat = Format.TABLE, as_json: AsJson = False) -> None:
    """Print the turns of a job that succeeded."""
    terminal = terminal_of(ctx)
    with terminal.parley() as parley:
        if as_json or turns_format is Format.JSON:
            terminal.print_json(parley.turns(job_id).document)
        elif turns_format is Format.RTTM:
            terminal.print_text(parley.rttm(job_id))
        else:
            show_turns(terminal, parley.turns(job_id))
