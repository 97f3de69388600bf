"""Where a command reads its settings and writes its words: answers to stdout, everything else to stderr."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn, TextIO

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from parley._transport import RetryPolicy
from parley.cli.exits import Exit
from parley.client import Parley
from parley.errors import ParleyConnectionError

PIPE_WIDTH = 240  # columns where nobody looks: ids and sentences stay in one piece
IMPATIENT_TRIES = 3  # somebody who asks a question sits there: 1.5 s at most

Pause = Callable[[float], None]


class Terminal:
    """One run of the command: its two consoles, and the server that it talks to."""

    def __init__(self, url: str | None = None) -> None:
        self.out = _console(sys.stdout, stderr=False)
        self.err = _console(sys.stderr, stderr=True)
        self._url = url

    def parley(self, *, tries: int = IMPATIENT_TRIES, pause: Pause = time.sleep) -> Parley:
        """Return a client that says on stderr when it tries again. An address that is none ends the command."""
        try:
            return Parley(self._url, retry=RetryPolicy(tries=tries), pause=pause, on_retry=self._tell_retry)
        except ValueError as error:
            self.fail(str(error), Exit.USAGE)

    def patient_parley(self, *, pause: Pause = time.sleep) -> Parley:
        """Return a client that sits through a restart of the server, once there has been a server."""
        with self.parley(pause=pause) as impatient:
            impatient.alive()
        return self.parley(tries=RetryPolicy().tries, pause=pause)

    def print_json(self, document: Any) -> None:
        """Print a JSON value to stdout, and nothing else."""
        self.out.file.write(json.dumps(document, indent=2) + "\n")

    def print_text(self, text: str) -> None:
        """Print text made for programs to stdout, unchanged."""
        self.out.file.write(text)

    def print_table(self, columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> None:
        """Print rows under headings."""
        table = Table(*columns, box=None, pad_edge=False, header_style="bold")
        for row in rows:
            table.add_row(*(cell if isinstance(cell, Text) else Text(printable(cell)) for cell in row))
        for column in table.columns:
            column.no_wrap, column.overflow = True, "ellipsis"
        table.columns[0].overflow = "ignore"  # ids are there to be copied
        table.columns[0].min_width = max((len(str(cell)) for cell in table.columns[0].cells), default=0)
        self.out.print(table)

    def say(self, message: str, style: str = "") -> None:
        """Print a sentence for people on stderr."""
        self.err.print(Text(printable(message), style=style), soft_wrap=True)

    def ask(self, question: str) -> str | None:
        """Return the answer typed to a question on stderr; None when nobody is there to answer."""
        # typer.confirm(err=True) still writes a blank to stdout, where only answers of ours belong.
        self.err.print(Text(printable(question)), end=" ", soft_wrap=True)
        line = sys.stdin.readline()
        return line.strip() if line else None

    def sure(self, question: str, otherwise: str) -> bool:
        """Return whether somebody says yes; say what becomes of it if not, and end the command if nobody is there."""
        answer = self.ask(question)
        if answer is None:
            self.fail(f"{otherwise} --yes does it without asking.", Exit.USAGE)
        if answer.lower() in ("y", "yes"):
            return True
        self.say(otherwise)
        return False

    def fail(self, message: str, code: Exit) -> NoReturn:
        """Say why, and end the command."""
        self.say(message, "red")
        raise typer.Exit(code)

    def _tell_retry(self, error: Exception, seconds: float) -> None:
        what = error.summary if isinstance(error, ParleyConnectionError) else str(error)
        self.say(f"{what} Trying again in {seconds:.1f} s.", "yellow")


def printable(text: str) -> str:
    """Return text without control characters: a name from elsewhere must not command this terminal."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "�" for letter in text)


def _console(stream: TextIO, *, stderr: bool) -> Console:
    width = None if stream.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
    return Console(stderr=stderr, width=width, highlight=False, markup=False)
