"""`parley restore`. It imports keeper and core by name: the client installs without them."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from importlib import import_module
from typing import Annotated, Any

import typer

from parley.cli.exit_codes import Exit
from parley.cli.failures import CommandFailed
from parley.cli.options import AsJson, terminal_of
from parley.cli.terminal import Terminal

EVERY_SECONDS = 1.0  # between two lines of progress

Since = Annotated[
    datetime | None,
    typer.Option(metavar="TIME", help="Only jobs that were accepted or changed since this time (UTC).  [default: all]"),
]


def restore(ctx: typer.Context, since: Since = None, as_json: AsJson = False) -> None:
    """Bring Redis back to what the object store holds.

    Runs on a machine with a keeper, with its settings: `kubectl exec deploy/RELEASE-keeper -- parley restore`. A
    keeper does the same automatically when it finds that Redis has lost writes. Nothing is deleted, and a second run
    changes nothing.
    """
    terminal = terminal_of(ctx)
    found = _reconcile(terminal, since.replace(tzinfo=UTC) if since else None)
    document = {
        "looked_at": found.looked_at,
        "restored": found.restored,
        "corrected": found.corrected,
        "unreadable": found.unreadable,
        "words_requests": found.words_requests,
    }
    if as_json:
        terminal.print_json(document)
    else:
        terminal.print_table(
            ("JOBS LOOKED AT", "RESTORED", "CORRECTED", "UNREADABLE", "REQUESTS FOR WORDS"),
            [[f"{count:,}" for count in document.values()]],
        )
    if found.unreadable:
        raise typer.Exit(Exit.JOB_FAILED)


def _reconcile(terminal: Terminal, since: datetime | None) -> Any:
    try:
        settings = import_module("parley_core.settings").Settings.from_environment()
        errors = import_module("parley_core.errors")
        reconciliation = import_module("parley_keeper.reconciliation")
        objects = import_module("parley_core.storage.objects").object_store(settings)
        store = import_module("parley_core.durable_job_store").DurableJobStore.from_settings(settings, objects)
        requests = import_module("parley_core.redis.words_requests").RedisWordsRequests.from_settings(settings)
        words = import_module("parley_keeper.words_requests").RequestedWords(requests, store, objects)
    except ImportError as error:
        detail = "No keeper is installed here. Run the command where one is: kubectl exec deploy/RELEASE-keeper -- ..."
        raise CommandFailed(Exit.USAGE, "invalid_usage", detail) from error
    reconciler = reconciliation.Reconciler(store, words=words)
    reported = time.monotonic()

    def report() -> None:
        nonlocal reported
        if sys.stderr.isatty() and time.monotonic() - reported > EVERY_SECONDS:
            reported = time.monotonic()
            terminal.say(f"{reconciler.found.looked_at:,} jobs looked at, {reconciler.found.restored:,} restored ...")

    try:
        store.health()
        return reconciler.reconcile(since or reconciliation.BEGINNING, report)
    except errors.RetryableError as error:
        raise CommandFailed(Exit.UNAVAILABLE, error.code, str(error)) from error
