"""`parley jobs` and `parley job`: what became of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from parley.cli.durations import age, short
from parley.cli.exits import Exit
from parley.cli.options import AsJson, JobId, Reference, WhichQueue, WhichState, duration_option, terminal_of
from parley.cli.progress import progress_view
from parley.cli.sending import WATCH_SECONDS
from parley.cli.showing import show_job, show_jobs
from parley.cli.terminal import Terminal
from parley.client import Parley
from parley.models import UNFINISHED_STATES, Job

STUCK_AFTER = timedelta(minutes=10)  # the limit of one attempt at a short recording

Limit = Annotated[int, typer.Option(min=1, help="At most so many.")]
Stuck = Annotated[bool, typer.Option("--stuck", help="Only unfinished jobs that have been there for long.")]
OlderThan = Annotated[
    timedelta | None,
    typer.Option(parser=duration_option, metavar="DURATION", help="With --stuck: how long is long.  [default: 10m]"),
]
Wait = Annotated[bool, typer.Option("--wait", help="Wait until the job has ended.")]


def jobs(
    ctx: typer.Context,
    state: WhichState = None,
    queue: WhichQueue = None,
    reference: Reference = None,
    limit: Limit = 20,
    stuck: Stuck = False,
    older_than: OlderThan = None,
    as_json: AsJson = False,
) -> None:
    """List your jobs, newest first; stuck ones oldest first."""
    if older_than is not None and not stuck:
        raise typer.BadParameter("--older-than belongs to --stuck")
    terminal, old = terminal_of(ctx), STUCK_AFTER if older_than is None else older_than
    with terminal.parley() as parley:
        states = [state.value] if state else UNFINISHED_STATES if stuck else [None]
        found = (job for one in states for job in parley.jobs(state=one, queue=queue, reference=reference))
        wanted = _stuck(found, old) if stuck else found
        listed = list(islice(wanted, limit))
    if as_json:
        terminal.print_json([job.document for job in listed])
    elif listed:
        show_jobs(terminal, listed)
    else:
        terminal.say(f"No job is unfinished for longer than {short(old)}." if stuck else "No jobs.")


def job(ctx: typer.Context, job_id: JobId, wait: Wait = False, as_json: AsJson = False) -> None:
    """Show one job; with --wait once it has ended, and exit with 1 unless it succeeded."""
    terminal = terminal_of(ctx)
    with terminal.patient_parley() if wait else terminal.parley() as parley:
        found = _ended(terminal, parley, job_id) if wait else parley.job(job_id)
    if as_json:
        terminal.print_json(found.document)
    else:
        show_job(terminal, found)
    if wait and not found.succeeded:
        raise typer.Exit(Exit.JOB_FAILED)


def _stuck(jobs: Iterator[Job], older_than: timedelta) -> Iterator[Job]:
    old = {job.id: job for job in jobs if not job.terminal and age(job.created_at) >= older_than}
    yield from sorted(old.values(), key=lambda job: job.created_at)


def _ended(terminal: Terminal, parley: Parley, job_id: str) -> Job:
    try:
        with progress_view(terminal.err, 1) as view:
            for seen in parley.watch(job_id, every=WATCH_SECONDS):
                view.watching(Path(job_id), seen)
    except KeyboardInterrupt:
        terminal.fail(f"Interrupted. The job goes on; to see it:\n  parley job {job_id} --wait", Exit.INTERRUPTED)
    return seen
