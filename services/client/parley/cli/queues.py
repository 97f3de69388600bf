"""`parley queues`: how busy the server is."""

from __future__ import annotations

from datetime import timedelta

import typer

from parley.cli.durations import short
from parley.cli.options import AsJson, terminal_of
from parley.models import QueueStatus

COLUMNS = ("QUEUE", "UNFINISHED", "WAITING", "RUNNING", "OLDEST")


def queues(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Show every queue: unfinished, waiting and running jobs, and the age of the oldest."""
    terminal = terminal_of(ctx)
    with terminal.parley() as parley:
        found = parley.queues()
    if as_json:
        terminal.print_json([queue.document for queue in found])
    else:
        terminal.print_table(COLUMNS, [_row(queue) for queue in found])


def _row(queue: QueueStatus) -> tuple[str, ...]:
    oldest = "" if queue.oldest_seconds is None else short(timedelta(seconds=queue.oldest_seconds))
    return queue.queue, str(queue.unfinished), str(queue.waiting), str(queue.running), oldest
