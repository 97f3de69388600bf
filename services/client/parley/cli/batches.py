"""`parley batch`: many recordings by one request."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from parley import Batch, BatchItem, Parley
from parley._calls import is_link
from parley.cli.display import STATE_COLOURS
from parley.cli.durations import age, format_duration
from parley.cli.exit_codes import Exit
from parley.cli.failures import CommandFailed
from parley.cli.options import AsJson, terminal_of
from parley.cli.terminal import PATIENT, Terminal

COLUMNS = ("BATCH", "AGE", "JOBS", "REFUSED", "REFERENCE")
ITEM_COLUMNS = ("ITEM", "STATE", "JOB", "REFERENCE", "PROBLEM")
MEMBERS = {"jobs", "options", "reference", "callback_url"}
MOST = 100  # recordings of a batch
PAUSE_SECONDS = 2.0
BAD_ENDS = ("failed", "cancelled")

batch_app = typer.Typer(
    help="List, submit, show or cancel batches of recordings.",
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
)

Source = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="Links, one in a line; or the JSON of `POST /v1/batches`, or its `jobs` alone. `-` reads stdin.",
        show_default=False,
    ),
]
BatchId = Annotated[str, typer.Argument(metavar="ID", help="Id of the batch.", show_default=False)]
Reference = Annotated[
    str | None, typer.Option("--reference", metavar="TEXT", help="Your own name for the batch.", show_default=False)
]
Watch = Annotated[bool, typer.Option("--watch", help="Wait until all jobs have ended.")]


@batch_app.callback()
def batches(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List your batches, newest first."""
    if ctx.invoked_subcommand is not None:
        return
    terminal = terminal_of(ctx)
    with terminal.parley() as parley:
        found = list(parley.batches())
    rows = (
        (one.id, format_duration(age(one.created_at)), str(one.jobs), str(one.refused), one.reference or "")
        for one in found
    )
    terminal.print_list(found, COLUMNS, rows, ("REFERENCE",), as_json, "No batches.")


@batch_app.command()
def submit(
    ctx: typer.Context, source: Source, reference: Reference = None, watch: Watch = False, as_json: AsJson = False
) -> None:
    """Submit the recordings behind links, 100 in a batch.

    The idempotency key of each batch depends on what the file says, so that a second run gets the same batches.
    """
    terminal, request = terminal_of(ctx), _read(source)
    found: list[Batch] = []
    with terminal.parley(PATIENT) as parley:
        for start in range(0, len(request["jobs"]), MOST):
            part = {**request, "jobs": request["jobs"][start : start + MOST]}
            if reference is not None:
                part["reference"] = reference
            digest = hashlib.sha256(json.dumps([start, part], sort_keys=True).encode()).hexdigest()
            made = parley.submit_batch(
                part["jobs"],
                options=part.get("options"),
                reference=part.get("reference"),
                callback_url=part.get("callback_url"),
                idempotency_key=f"parley-batch-{digest}",
            )
            terminal.say(f"Batch {made.id}: {_counts(made)}.")
            found.append(made)
        found = [_watched(terminal, parley, made) if watch else made for made in found]
    if as_json:
        terminal.print_json([made.document for made in found])
    else:
        _print(terminal, [item for made in found for item in made.items])
    raise typer.Exit(max((_exit_code(made) for made in found), default=Exit.OK))


@batch_app.command()
def show(ctx: typer.Context, batch_id: BatchId, watch: Watch = False, as_json: AsJson = False) -> None:
    """Show what has become of each recording of a batch.

    The exit code is 1 if a job failed or was cancelled, and 3 if a recording was refused.
    """
    terminal = terminal_of(ctx)
    with terminal.parley(PATIENT) as parley:
        found = parley.batch(batch_id)
        if watch:
            found = _watched(terminal, parley, found)
    if as_json:
        terminal.print_json(found.document)
    else:
        _print(terminal, found.items)
    raise typer.Exit(_exit_code(found))


@batch_app.command()
def cancel(ctx: typer.Context, batch_id: BatchId, as_json: AsJson = False) -> None:
    """Cancel those jobs of a batch that have not ended."""
    terminal = terminal_of(ctx)
    with terminal.parley() as parley:
        found = parley.cancel_batch(batch_id)
    if as_json:
        terminal.print_json(found.document)
    else:
        _print(terminal, found.items)


def _read(source: str) -> dict[str, Any]:
    """Return the request that a file means.

    Raises:
        CommandFailed: it cannot be read, or is neither links nor the JSON of a batch.
    """
    given: Any
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text()
        if text.lstrip()[:1] not in ("{", "["):
            lines = (line.strip() for line in text.splitlines())
            given = [line for line in lines if line and not line.startswith("#")]
        else:
            given = json.loads(text)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is neither text nor JSON"
        raise CommandFailed(Exit.USAGE, "invalid_usage", f"{source} cannot be read: {reason}.") from None
    request = {"jobs": given} if isinstance(given, list) else given
    if not isinstance(request.get("jobs"), list) or request.keys() - MEMBERS:
        detail = f"{source} must have `jobs`, a list, and no members but `options`, `reference` and `callback_url`."
        raise CommandFailed(Exit.USAGE, "invalid_usage", detail)
    for index, job in enumerate(request["jobs"]):
        if not (isinstance(job, dict) or (isinstance(job, str) and is_link(job))):
            detail = f"Recording {index + 1} of {source} is no link. Batches have links and uploads, no files."
            raise CommandFailed(Exit.USAGE, "invalid_usage", detail)
    return request


def _watched(terminal: Terminal, parley: Parley, batch: Batch) -> Batch:
    """Return the batch once its jobs have ended; say on stderr how far it is, whenever that changes."""
    seen = batch.counts
    while not batch.done:
        time.sleep(PAUSE_SECONDS)
        batch = parley.batch(batch.id)
        if batch.counts != seen:
            terminal.say(f"Batch {batch.id}: {_counts(batch)}.")
            seen = batch.counts
    return batch


def _print(terminal: Terminal, items: Sequence[BatchItem]) -> None:
    rows = [
        (
            str(item.index),
            Text(item.state, style=STATE_COLOURS.get(item.state, "")),
            item.job_id or "",
            item.reference or "",
            f"{item.problem.detail} ({item.problem.code})" if item.problem else "",
        )
        for item in items
    ]
    terminal.print_table(ITEM_COLUMNS, rows, ("REFERENCE", "PROBLEM"))


def _counts(batch: Batch) -> str:
    return ", ".join(f"{number} {state}" for state, number in sorted(batch.counts.items()))


def _exit_code(batch: Batch) -> Exit:
    if "refused" in batch.counts:
        return Exit.REFUSED
    return Exit.JOB_FAILED if any(state in batch.counts for state in BAD_ENDS) else Exit.OK
