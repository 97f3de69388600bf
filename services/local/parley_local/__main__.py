"""`python -m parley_local run` serves; `python -m parley_local demo` diarizes one recording and stops."""

from __future__ import annotations

import argparse
import os
import sys

from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from parley_core.errors import ParleyError
from parley_core.validation import wrong_settings
from parley_local.errors import MachineError
from parley_local.machine import stop_on_signals
from parley_local.serving import serve
from parley_local.settings import MachineSettings


def main() -> int:
    """Return the exit code: 0 on success, 1 with the reason on stderr."""
    arguments = _parser().parse_args()
    os.umask(0o077)  # recordings of patients: other users must not read any file
    stop = stop_on_signals()
    console = Console(highlight=False, markup=False)
    try:
        if arguments.command == "run":
            serve(MachineSettings(), console, stop)
            return 0
        from parley_local.demo import demo, demo_settings  # imported here, since `run` does not need it

        with demo_settings() as settings:
            return 0 if demo(settings, console, stop) else 1
    except (MachineError, ParleyError, OSError) as error:
        return _fail(str(error))
    except ValidationError as error:
        return _fail(" ".join(wrong_settings(error)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m parley_local", description="Parley on one machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser(
        "run", help="serve until Ctrl-C; PARLEY_HOME, PARLEY_PORT and PARLEY_FLOWER_PORT set folder and ports"
    )
    commands.add_parser("demo", help="diarize the sample conversation, print its turns and stop")
    return parser


def _fail(message: str) -> int:
    Console(stderr=True, highlight=False, markup=False).print(Text(message, style="red"), soft_wrap=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
