"""The `parley` command. It needs the packages of the extra `cli`; the library does not."""

from __future__ import annotations

import sys

from parley.cli.exit_codes import Exit


def main() -> None:
    """Run the command. If its packages are missing, print what to install."""
    try:
        from parley.cli.app import app
    except ModuleNotFoundError as error:
        if error.name != "typer":
            raise
        sys.stderr.write(
            "The `parley` command is not installed. In a clone of Parley: pip install './services/client[cli]'\n"
        )
        sys.exit(Exit.USAGE)
    app(prog_name="parley")
