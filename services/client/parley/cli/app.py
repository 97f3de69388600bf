"""The `parley` command."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import parley
from parley.cli.changes import cancel, purge, retry
from parley.cli.doctor import doctor
from parley.cli.exits import EXIT_CODES_HELP, Exit, exit_for
from parley.cli.jobs import job, jobs
from parley.cli.options import AsJson, terminal_of
from parley.cli.queues import queues
from parley.cli.submit import submit
from parley.cli.terminal import Terminal
from parley.cli.turns import turns
from parley.cli.voiceprints import enrol, voiceprints_app
from parley.client import DEFAULT_URL
from parley.errors import ParleyClientError


class ParleyGroup(TyperGroup):
    """Ends every command that goes wrong with a sentence and an exit code, never with a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            _forget_stdout()
            raise typer.Exit(Exit.OK) from None
        except (ParleyClientError, OSError) as error:
            Terminal().fail(str(error), exit_for(error))
        except KeyboardInterrupt:
            Terminal().fail("Interrupted.", Exit.INTERRUPTED)


app = typer.Typer(
    cls=ParleyGroup,
    no_args_is_help=True,
    epilog=EXIT_CODES_HELP,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (submit, jobs, job, turns, cancel, retry, purge, enrol, queues, doctor):
    app.command(name=command.__name__)(command)
app.add_typer(voiceprints_app, name="voiceprints")

Url = Annotated[
    str, typer.Option(envvar="PARLEY_URL", help="The server. PARLEY_API_KEY holds the key, if it wants one.")
]


@app.callback()
def connect(ctx: typer.Context, url: Url = DEFAULT_URL) -> None:
    """Send recordings of conversations to Parley and learn who spoke when."""
    ctx.obj = Terminal(url)


@app.command()
def version(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Print the version of this command; `parley doctor` shows the server's."""
    terminal = terminal_of(ctx)
    if as_json:
        terminal.print_json({"version": parley.__version__})
    else:
        terminal.print_text(f"parley {parley.__version__}\n")


def main() -> None:
    """Run the command."""
    try:
        app(prog_name="parley")
    finally:
        _flush_stdout()


def _flush_stdout() -> None:
    """Notice here, and not in the interpreter's last breath, that the reader of a pipe has had enough."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_stdout()


def _forget_stdout() -> None:
    """`parley jobs | head`: what is still in the buffer has no reader. https://docs.python.org/3/library/signal.html#note-on-sigpipe"""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
