"""`parley cancel`, `parley retry` and `parley purge`: what an operator does to jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Annotated, Any

import typer

from parley.cli.durations import age
from parley.cli.exits import Exit, exit_for
from parley.cli.options import AsJson, JobIds, State, duration_option, terminal_of
from parley.cli.terminal import Terminal
from parley.client import Parley
from parley.errors import ParleyApiError
from parley.models import TERMINAL_STATES, Job

Document = dict[str, Any]

MaybeIds = Annotated[list[str] | None, typer.Argument(metavar="[ID...]", help="The jobs.", show_default=False)]
OlderThan = Annotated[
    timedelta | None,
    typer.Option(parser=duration_option, metavar="DURATION", help="Instead of ids: all that ended so long ago."),
]
EndedAs = Annotated[State | None, typer.Option("--state", help="With --older-than: only those that ended like this.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def cancel(ctx: typer.Context, ids: JobIds, as_json: AsJson = False) -> None:
    """Cancel unfinished jobs, for good."""
    with terminal_of(ctx).parley() as parley:
        each(terminal_of(ctx), ids, lambda job_id: dict(parley.cancel(job_id).document), "cancelled", as_json)


def retry(ctx: typer.Context, ids: JobIds, as_json: AsJson = False) -> None:
    """Run failed or cancelled jobs again, as they were submitted."""
    with terminal_of(ctx).parley() as parley:
        each(terminal_of(ctx), ids, lambda job_id: dict(parley.retry(job_id).document), "runs again", as_json)


def purge(
    ctx: typer.Context,
    ids: MaybeIds = None,
    older_than: OlderThan = None,
    state: EndedAs = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete recording, result and record of jobs that have ended. There is no way back."""
    if bool(ids) == (older_than is not None):
        raise typer.BadParameter("say either which jobs, or --older-than")
    if state is not None and (older_than is None or state.value not in TERMINAL_STATES):
        raise typer.BadParameter("--state goes with --older-than and is succeeded, failed or cancelled")
    terminal = terminal_of(ctx)
    with terminal.parley() as parley:
        chosen = list(ids or []) if older_than is None else _ended_before(parley, older_than, state)
        if not chosen:
            terminal.say("Nothing to delete.")
        elif not yes:
            _ask(terminal, chosen)
        each(terminal, chosen, lambda job_id: dict(parley.delete(job_id)), "deleted", as_json)


def _ended_before(parley: Parley, older_than: timedelta, state: State | None) -> list[str]:
    def wanted(job: Job) -> bool:
        return job.finished_at is not None and age(job.finished_at) >= older_than

    states = [state.value] if state else TERMINAL_STATES
    return [job.id for one in states for job in parley.jobs(state=one) if wanted(job)]


def _ask(terminal: Terminal, chosen: Sequence[str]) -> None:
    what = f"job {chosen[0]}" if len(chosen) == 1 else f"{len(chosen)} jobs"
    if not terminal.sure(f"Delete recording, result and record of {what}, for good? [y/N]", "Nothing was deleted."):
        raise typer.Exit(Exit.OK)


def each(terminal: Terminal, ids: Sequence[str], act: Callable[[str], Document], done: str, as_json: bool) -> None:
    """Act on every id, whatever becomes of the others, and exit with the worst of it."""
    worst, documents = Exit.OK, []
    for job_id in ids:
        try:
            documents.append(act(job_id))
        except ParleyApiError as error:
            worst = max(worst, exit_for(error))
            documents.append({"id": job_id, "error": {"code": error.code, "detail": error.detail}})
            terminal.say(f"{job_id}: {error}", "red")
        else:
            terminal.say(f"{job_id}: {done}")
    if as_json:
        terminal.print_json(documents)
    raise typer.Exit(worst)
