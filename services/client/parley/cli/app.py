"""The `parley` command: its subcommands by name, and what is common to all of them.

The module of a subcommand is imported when it runs, so that `parley --help` imports neither httpx nor rich.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperGroup
from typer.main import get_command

from parley.cli.exit_codes import EXIT_CODES_HELP, Exit
from parley.cli.failures import FAILURES, CommandFailed, plain_message, report


class Subcommand(NamedTuple):
    """Where a subcommand is (`module:name`), and what it does in one sentence."""

    target: str
    summary: str


SUBCOMMANDS = {
    "submit": Subcommand("parley.cli.submit:submit", "Submit recordings, wait for their jobs and print the turns."),
    "batch": Subcommand("parley.cli.batches:batch_app", "List, submit, show or cancel batches of recordings."),
    "jobs": Subcommand("parley.cli.jobs:jobs", "List your jobs, newest first."),
    "job": Subcommand("parley.cli.jobs:job", "Show one job."),
    "watch": Subcommand("parley.cli.watch:watch", "Watch jobs until they have ended."),
    "turns": Subcommand("parley.cli.turns:turns", "Print the turns of a job that succeeded."),
    "correct": Subcommand("parley.cli.corrections:correct", "Correct the turns and speakers of a job."),
    "corrections": Subcommand("parley.cli.corrections:corrections", "List the corrections of a job."),
    "questions": Subcommand(
        "parley.cli.questions:questions", "List what to listen to, the most useful question first."
    ),
    "transcript": Subcommand(
        "parley.cli.transcript:transcript", "Send a transcript of a job, or print who said each word."
    ),
    "transcribe": Subcommand(
        "parley.cli.transcript:transcribe", "Let the server's recogniser write down the words of a job."
    ),
    "share": Subcommand(
        "parley.cli.shares:share", "Make a link that opens the timeline of a job without a key, and print it."
    ),
    "shares": Subcommand("parley.cli.shares:shares", "List or revoke the links of a job."),
    "audio": Subcommand("parley.cli.audio:audio", "Download the recording of a job."),
    "cancel": Subcommand("parley.cli.changes:cancel", "Cancel unfinished jobs."),
    "retry": Subcommand("parley.cli.changes:retry", "Run failed or cancelled jobs again."),
    "delete": Subcommand("parley.cli.changes:delete", "Delete recording, result and record of jobs that have ended."),
    "enrol": Subcommand("parley.cli.voiceprints:enrol", "Enrol the voiceprint of a person who consents."),
    "voiceprints": Subcommand("parley.cli.voiceprints:voiceprints_app", "List or delete voiceprints."),
    "webhooks": Subcommand("parley.cli.webhooks:webhooks_app", "List or resend deliveries, or receive them here."),
    "keys": Subcommand("parley.cli.keys:keys_app", "List, make or revoke API keys."),
    "queues": Subcommand("parley.cli.queues:queues", "Show the load of every queue."),
    "usage": Subcommand("parley.cli.usage:usage", "Show what your tenant has used in a period."),
    "audit": Subcommand("parley.cli.audit:audit", "Print who did what, from audit logs, and check them."),
    "doctor": Subcommand("parley.cli.doctor:doctor", "Check server, components, access and workers."),
    "restore": Subcommand("parley.cli.restore:restore", "Bring Redis back to what the object store holds."),
    "version": Subcommand("parley.cli.version:version", "Print the version of this command."),
}

Url = Annotated[
    str | None,
    typer.Option(
        envvar="PARLEY_URL",
        metavar="URL",
        help="Address of the server; by default port 7001 of this machine. PARLEY_API_KEY holds the API key.",
    ),
]


def load(name: str) -> Any:
    """Return the click command of a subcommand."""
    module, attribute = SUBCOMMANDS[name].target.split(":")
    found = getattr(import_module(module), attribute)
    if not isinstance(found, typer.Typer):
        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        single.command(name)(found)
        found = single
    command = get_command(found)
    _hide_types_of_arguments(command)
    return command


def _hide_types_of_arguments(command: Any) -> None:
    """Keep Python's types (`list[Path]`) out of the help, where typer puts them behind the names of arguments."""
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            parameter.display_type_rich = lambda ctx: None
    for subcommand in getattr(command, "commands", {}).values():
        _hide_types_of_arguments(subcommand)


class ParleyGroup(TyperGroup):
    """Loads subcommands when they run, and turns their errors into messages and exit codes."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        given = sys.argv[1:] if args is None else list(args)
        as_json = "--json" in given
        extra["standalone_mode"] = not as_json  # with --json, errors of typer come here too
        try:
            sys.exit(super().main(given, *rest, **extra))
        except FAILURES as error:
            sys.exit(report(error, as_json=as_json))
        finally:
            _flush_stdout()

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return name, command and load(args[0]), rest

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = plain_message(error)
            raise
        except BrokenPipeError:
            _discard_stdout()
            raise typer.Exit(Exit.OK) from None
        except KeyboardInterrupt:
            raise CommandFailed(Exit.INTERRUPTED, "interrupted", "Interrupted.") from None


app = typer.Typer(
    cls=ParleyGroup,
    no_args_is_help=True,
    epilog=EXIT_CODES_HELP,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def connect(ctx: typer.Context, url: Url = None) -> None:
    """Submit recordings of conversations to Parley and get their speaker turns."""
    ctx.obj = url


for name, subcommand in SUBCOMMANDS.items():
    app.command(name, help=subcommand.summary)(lambda: None)  # for the help of the group; `load` gives the real one


def _flush_stdout() -> None:
    """Flush before the interpreter exits, where a closed pipe could not be handled any more."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_stdout()


def _discard_stdout() -> None:
    """Discard buffered output that has no reader (`parley jobs | head`). https://docs.python.org/3/library/signal.html#note-on-sigpipe"""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
