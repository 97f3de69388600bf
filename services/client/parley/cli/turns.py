"""`parley turns`."""

from __future__ import annotations

from typing import Annotated

import typer

from parley.cli.display import show_turns
from parley.cli.job_ids import resolve
from parley.cli.options import AsJson, JobId, TurnFormat, terminal_of

Format = Annotated[TurnFormat, typer.Option("--format", help="Format of the turns.")]


Labels = Annotated[bool, typer.Option("--labels", help="Write labels such as SPEAKER_00 instead of known names.")]


Version = Annotated[
    int | None,
    typer.Option(
        "--result-version",
        metavar="NUMBER",
        help="Number of corrections that are made; 0 is the result of the engine. By default all.",
        show_default=False,
    ),
]


def turns(
    ctx: typer.Context,
    job_id: JobId,
    turns_format: Format = TurnFormat.TABLE,
    labels: Labels = False,
    version: Version = None,
    as_json: AsJson = False,
) -> None:
    """Print the turns of a job that succeeded."""
    if labels and (as_json or turns_format in (TurnFormat.TABLE, TurnFormat.JSON, TurnFormat.PNG)):
        raise typer.BadParameter("--labels goes with the text formats of other programs; `table` and `json` have both.")
    terminal = terminal_of(ctx)
    with terminal.parley() as parley:
        job_id = resolve(parley, job_id)
        if as_json or turns_format is TurnFormat.JSON:
            terminal.print_json(parley.turns(job_id, version=version).document)
        elif turns_format is TurnFormat.TABLE:
            show_turns(terminal, parley.turns(job_id, version=version))
        elif turns_format is TurnFormat.PNG:
            terminal.print_bytes(parley.picture(job_id, version=version))
        else:
            speakers = "labels" if labels else None
            terminal.print_text(parley.export(job_id, turns_format, speakers=speakers, version=version))
