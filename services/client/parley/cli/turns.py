"""`parley turns`."""

from __future__ import annotations

from typing import Annotated

import typer

from parley.cli.display import show_turns
from parley.cli.job_ids import resolve
from parley.cli.options import AsJson, JobId, TurnFormat, terminal_of

Format = Annotated[TurnFormat, typer.Option("--format", help="Format of the turns.")]


def turns(ctx: typer.Context, job_id: JobId, turns_format: Format = TurnFormat.TABLE, as_json: AsJson = False) -> None:
    """Print the turns of a job that succeeded."""
    terminal = terminal_of(ctx)
    with terminal.parley() as parley:
        job_id = resolve(parley, job_id)
        if as_json or turns_format is TurnFormat.JSON:
            terminal.print_json(parley.turns(job_id).document)
        elif turns_format is TurnFormat.RTTM:
            terminal.print_text(parley.rttm(job_id))
        else:
            show_turns(terminal, parley.turns(job_id))
