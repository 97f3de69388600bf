"""`parley version`."""

from __future__ import annotations

import typer

import parley
from parley.cli.options import AsJson, terminal_of


def version(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Print the version of this command.

    `parley doctor` shows the version of the server.
    """
    terminal = terminal_of(ctx)
    if as_json:
        terminal.print_json({"version": parley.__version__})
    else:
        terminal.print_text(f"parley {parley.__version__}\n")
