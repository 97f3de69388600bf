"""`parley watch`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from parley import AsyncParley, Job, ParleyClientError
from parley.cli.batch import WATCH_SECONDS, WATCHES, Outcome
from parley.cli.display import show_jobs
from parley.cli.exit_codes import Exit
from parley.cli.failures import CommandFailed, error_document
from parley.cli.job_ids import resolve
from parley.cli.options import AsJson, terminal_of
from parley.cli.progress import ProgressView, progress_view
from parley.cli.terminal import PATIENT, Terminal
from parley.models import UNFINISHED_STATES

Ids = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="ID", help="Job ids or prefixes; by default your jobs that are unfinished now.", show_default=False
    ),
]


def watch(ctx: typer.Context, ids: Ids = None, as_json: AsJson = False) -> None:
    """Watch jobs until they have ended.

    The exit code is 1 unless all of them succeeded.
    """
    terminal = terminal_of(ctx)
    with terminal.parley(PATIENT) as parley:
        if ids:
            found = [parley.job(resolve(parley, job_id)) for job_id in ids]
        else:
            found = list(chain.from_iterable(parley.jobs(state=state) for state in UNFINISHED_STATES))
    jobs = sorted({job.id: job for job in found}.values(), key=lambda job: job.created_at)  # the order of their turn
    outcomes = _watch(terminal, jobs) if jobs else []
    if as_json:
        terminal.print_json([_document(outcome) for outcome in outcomes])
    elif outcomes:
        show_jobs(terminal, [outcome.job for outcome in outcomes if outcome.job])
    else:
        terminal.say("No job is unfinished.")
    raise typer.Exit(max((outcome.exit_code for outcome in outcomes), default=Exit.OK))


def _watch(terminal: Terminal, jobs: Sequence[Job]) -> list[Outcome]:
    """Show the progress of jobs on stderr until the last one has ended.

    Raises:
        CommandFailed: Ctrl-C was pressed.
    """

    async def run() -> list[Outcome]:
        slots = asyncio.Semaphore(WATCHES)
        async with terminal.async_parley() as parley:
            with progress_view(terminal.err, len(jobs)) as view:
                return await asyncio.gather(*(_follow(parley, view, slots, job) for job in jobs))

    try:
        return asyncio.run(run())
    except KeyboardInterrupt:
        ids = [job.id for job in jobs]
        raise CommandFailed(Exit.INTERRUPTED, "interrupted", "Interrupted. The jobs continue.", jobs=ids) from None


async def _follow(parley: AsyncParley, view: ProgressView, slots: asyncio.Semaphore, job: Job) -> Outcome:
    path = Path(job.id, Path(job.recording.file_name or job.id).name)  # two recordings may have one name
    error: Exception | None = None
    view.watching(path, job)
    try:
        async with slots:
            async for seen in parley.watch(job.id, every=WATCH_SECONDS):
                view.watching(path, seen)
                job = seen
    except ParleyClientError as caught:
        error = caught
    outcome = Outcome(path, job, error=error)
    view.ended(path, outcome.summary)
    return outcome


def _document(outcome: Outcome) -> object:
    assert outcome.job is not None, "a job is watched"
    if outcome.error is not None:
        return {"id": outcome.job.id, "error": error_document(outcome.error)}
    return outcome.job.document
