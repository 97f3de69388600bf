"""`parley queues`."""

from __future__ import annotations

from datetime import timedelta

import typer

from parley.cli.durations import format_duration
from parley.cli.options import AsJson, terminal_of
from parley.models import QueueStatus

COLUMNS = ("QUEUE", "UNFINISHED", "WAITING", "RUNNING", "OLDEST", "WORKERS")


def queues(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Show the load of every queue.

    That is: its unfinished, waiting and running jobs, the age of the oldest unfinished job, and its workers.
    """
    terminal = terminal_of(ctx)
    with terminal.parley() as parley:
        found = parley.queues()
    if as_json:
        terminal.print_json([queue.document for queue in found])
    else:
        terminal.print_table(COLUMNS, [_row(queue) for queue in found])


def _row(queue: QueueStatus) -> tuple[str, ...]:
    oldest = "" if queue.oldest_seconds is None else format_duration(timedelta(seconds=queue.oldest_seconds))
    workers = "" if queue.workers is None else str(queue.workers)
    return queue.queue, str(queue.unfinished), str(queue.waiting), str(queue.running), oldest, workers
