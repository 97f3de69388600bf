"""`parley audio`."""

from __future__ import annotations

from pathlib import Path, PureWindowsPath
from typing import Annotated

import typer

from parley import Job
from parley.cli.exit_codes import Exit
from parley.cli.failures import CommandFailed
from parley.cli.job_ids import resolve
from parley.cli.options import AsJson, JobId, terminal_of
from parley.cli.terminal import PATIENT, printable

Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        dir_okay=False,
        help="Write it to this file, and replace one that exists. By default the name of the submitted file.",
        show_default=False,
    ),
]


def audio(ctx: typer.Context, job_id: JobId, output: Output = None, as_json: AsJson = False) -> None:
    """Download the recording of a job.

    It is the file as it was submitted. Its name here is printed.
    """
    terminal = terminal_of(ctx)
    with terminal.parley(PATIENT) as parley:
        job = parley.job(resolve(parley, job_id))
        path = output or _new_file(job)
        parley.save_audio(job.id, path)
    if as_json:
        terminal.print_json({"job_id": job.id, "file": str(path), "bytes": path.stat().st_size})
    else:
        terminal.print_text(f"{path}\n")


def _new_file(job: Job) -> Path:
    """Return the name of the submitted file in this folder. Raises CommandFailed if there is such a file already."""
    # The name comes from whoever submitted: neither its folders nor its control characters count.
    name = printable(PureWindowsPath(job.recording.file_name or "").name).strip()
    path = Path(name if name.strip(".") else job.id)
    if path.exists():
        detail = f"{path} exists. Name another file with --output, or the same one to replace it."
        raise CommandFailed(Exit.USAGE, "file_error", detail)
    return path
