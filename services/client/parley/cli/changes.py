"""`parley cancel`, `parley retry` and `parley delete`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Annotated, Any

import typer

from parley import ParleyApiError
from parley.cli.durations import age
from parley.cli.exit_codes import Exit
from parley.cli.failures import CommandFailed, error_document, exit_code_of
from parley.cli.job_ids import resolve
from parley.cli.options import AsJson, EndState, JobIds, duration_option, terminal_of
from parley.cli.terminal import Terminal
from parley.models import Document

OptionalJobIds = Annotated[
    list[str] | None, typer.Argument(metavar="ID", help="Job ids or prefixes.", show_default=False)
]
OlderThan = Annotated[
    timedelta | None,
    typer.Option(
        parser=duration_option, metavar="DURATION", help="Instead of ids: all jobs that ended at least this long ago."
    ),
]
StateOption = Annotated[
    EndState | None, typer.Option("--state", help="With --older-than: only jobs that ended like this.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]


def cancel(ctx: typer.Context, ids: JobIds, as_json: AsJson = False) -> None:
    """Cancel unfinished jobs."""
    terminal = terminal_of(ctx)
    with terminal.parley() as parley:
        apply(terminal, ids, lambda job_id: parley.cancel(resolve(parley, job_id)).document, "cancelled", as_json)


def retry(ctx: typer.Context, ids: JobIds, as_json: AsJson = False) -> None:
    """Run failed or cancelled jobs again.

    A job keeps the options that it was submitted with.
    """
    terminal = terminal_of(ctx)
    with terminal.parley() as parley:
        apply(terminal, ids, lambda job_id: parley.retry(resolve(parley, job_id)).document, "queued again", as_json)


def delete(
    ctx: typer.Context,
    ids: OptionalJobIds = None,
    older_than: OlderThan = None,
    state: StateOption = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete recording, result and record of jobs that have ended.

    They cannot be restored.
    """
    if bool(ids) == (older_than is not None):
        raise typer.BadParameter("Give either job ids or --older-than.")
    if state is not None and older_than is None:
        raise typer.BadParameter("--state needs --older-than.")
    terminal = terminal_of(ctx)
    with terminal.parley() as parley:
        chosen = [resolve(parley, job_id) for job_id in ids or []]  # all of them before the first one is deleted
        if older_than is not None:
            states = [state] if state else EndState
            ended = (job for each in states for job in parley.jobs(state=each))
            chosen = [job.id for job in ended if job.finished_at and age(job.finished_at) >= older_than]
        if not chosen:
            terminal.say("There is nothing to delete.")
        what = f"job {chosen[0]}" if len(chosen) == 1 else f"{len(chosen)} jobs"
        if chosen and not yes and not terminal.confirm_deletion(f"Delete recording, result and record of {what}?"):
            chosen = []
        apply(terminal, chosen, parley.delete, "deleted", as_json)


def apply(terminal: Terminal, ids: Sequence[str], change: Callable[[str], Document], done: str, as_json: bool) -> None:
    """Change each of the ids, and exit with the highest exit code. A refused change does not stop the others."""
    exit_code = Exit.OK
    documents: list[dict[str, Any]] = []
    for each in ids:
        try:
            document = dict(change(each))
            documents.append(document)
            removed = f" ({', '.join(document['removed'])})" if document.get("removed") else ""
            terminal.say(f"{each}: {done}{removed}")
        except (ParleyApiError, CommandFailed) as error:
            exit_code = max(exit_code, exit_code_of(error))
            documents.append({"id": each, "error": error_document(error)})
            terminal.say(f"{each}: {error}", "red")
    if as_json:
        terminal.print_json(documents)
    raise typer.Exit(exit_code)
