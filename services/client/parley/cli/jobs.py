"""`parley jobs` and `parley job`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import chain, islice
from pathlib import Path
from typing import Annotated

import typer

from parley import Job, Parley
from parley.cli.batch import WATCH_SECONDS
from parley.cli.display import show_job, show_jobs
from parley.cli.durations import age, format_duration
from parley.cli.exit_codes import Exit
from parley.cli.failures import CommandFailed
from parley.cli.job_ids import resolve
from parley.cli.options import AsJson, JobId, Queue, Reference, State, duration_option, terminal_of
from parley.cli.progress import progress_view
from parley.cli.terminal import PATIENT, SHORT, Terminal
from parley.models import UNFINISHED_STATES

STUCK_AFTER = timedelta(minutes=10)  # the time limit of one attempt at a short recording

StateFilter = Annotated[State | None, typer.Option("--state", help="Only jobs in this state.")]
QueueFilter = Annotated[Queue | None, typer.Option("--queue", help="Only jobs in this queue.")]
Limit = Annotated[int, typer.Option(min=1, metavar="N", help="Maximum number of jobs.")]
Stuck = Annotated[bool, typer.Option("--stuck", help="Only old unfinished jobs, oldest first.")]
OlderThan = Annotated[
    timedelta | None,
    typer.Option(parser=duration_option, metavar="DURATION", help="With --stuck: minimum age.  [default: 10m]"),
]
Wait = Annotated[bool, typer.Option("--wait", help="Wait until the job has ended; exit with 1 unless it succeeded.")]


def jobs(
    ctx: typer.Context,
    state: StateFilter = None,
    queue: QueueFilter = None,
    reference: Reference = None,
    limit: Limit = 20,
    stuck: Stuck = False,
    older_than: OlderThan = None,
    as_json: AsJson = False,
) -> None:
    """List your jobs, newest first."""
    if older_than is not None and not stuck:
        raise typer.BadParameter("--older-than needs --stuck.")
    terminal = terminal_of(ctx)
    minimum_age = STUCK_AFTER if older_than is None else older_than
    with terminal.parley() as parley:
        states = [state.value] if state else UNFINISHED_STATES if stuck else [None]
        lists = (parley.jobs(state=each, queue=queue, reference=reference) for each in states)
        found: Iterator[Job] = chain.from_iterable(lists)
        if stuck:
            # By id: a job that changes its state between two lists is in both.
            old = {job.id: job for job in found if not job.terminal and age(job.created_at) >= minimum_age}
            found = iter(sorted(old.values(), key=lambda job: job.created_at))
        listed = list(islice(found, limit))
    if as_json:
        terminal.print_json([job.document for job in listed])
    elif listed:
        show_jobs(terminal, listed)
    else:
        terminal.say(f"No job is unfinished for more than {format_duration(minimum_age)}." if stuck else "No jobs.")


def job(ctx: typer.Context, job_id: JobId, wait: Wait = False, as_json: AsJson = False) -> None:
    """Show one job."""
    terminal = terminal_of(ctx)
    with terminal.parley(PATIENT if wait else SHORT) as parley:
        job_id = resolve(parley, job_id)
        found = _wait(terminal, parley, job_id) if wait else parley.job(job_id)
    if as_json:
        terminal.print_json(found.document)
    else:
        show_job(terminal, found)
    if wait and not found.succeeded:
        raise typer.Exit(Exit.JOB_FAILED)


def _wait(terminal: Terminal, parley: Parley, job_id: str) -> Job:
    try:
        with progress_view(terminal.err, files=1) as view:
            for job in parley.watch(job_id, every=WATCH_SECONDS):
                view.watching(Path(job.recording.file_name or job_id), job)
    except KeyboardInterrupt:
        detail = f"Interrupted. The job continues. To wait for it again:\n  parley job {job_id} --wait"
        raise CommandFailed(Exit.INTERRUPTED, "interrupted", detail, jobs=[job_id]) from None
    return job
