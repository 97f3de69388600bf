"""The terminal of one command: results to stdout, everything else to stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO, TypeVar

from rich.console import Console
from rich.table import Table
from rich.text import Text

from parley import AsyncParley, Parley, RetryPolicy
from parley.cli.exit_codes import Exit
from parley.cli.failures import CommandFailed
from parley.errors import ParleyConnectionError

PIPE_WIDTH = 240  # columns if stdout is not a terminal, so that ids and sentences stay in one piece
ONCE = RetryPolicy(tries=1)
SHORT = RetryPolicy(tries=3)  # 1.5 s of backoff: a person waits for the answer
PATIENT = RetryPolicy()  # covers a restart of the server

Client = TypeVar("Client", Parley, AsyncParley)


class Terminal:
    """Two consoles, and the clients for one server.

    Args:
        url: address of the server.
    """

    def __init__(self, url: str | None = None) -> None:
        self.out = _console(sys.stdout, stderr=False)
        self.err = _console(sys.stderr, stderr=True)
        self._url = url

    def parley(self, retry: RetryPolicy = SHORT) -> Parley:
        """Return a client that prints its retries to stderr."""
        return self._client(Parley, retry)

    def async_parley(self) -> AsyncParley:
        """Return a client for asyncio that prints its retries to stderr."""
        return self._client(AsyncParley, PATIENT)

    def _client(self, kind: type[Client], retry: RetryPolicy) -> Client:
        try:
            return kind(self._url, retry=retry, on_retry=self._print_retry)
        except ValueError as error:
            raise CommandFailed(Exit.USAGE, "invalid_usage", str(error)) from error

    def _print_retry(self, error: Exception, seconds: float) -> None:
        what = error.detail if isinstance(error, ParleyConnectionError) else str(error)
        self.say(f"{what} Trying again in {seconds:.1f} s.", "yellow")

    def print_json(self, document: Any) -> None:
        """Print a JSON value to stdout."""
        self.out.file.write(json.dumps(document, indent=2) + "\n")

    def print_text(self, text: str) -> None:
        """Print text for programs to stdout, unchanged."""
        self.out.file.write(text)

    def print_bytes(self, content: bytes) -> None:
        """Write a file to stdout. Raises CommandFailed if stdout is a terminal."""
        if self.out.file.isatty():
            raise CommandFailed(Exit.USAGE, "invalid_usage", "This format is for files: add `> timeline.png`.")
        sys.stdout.flush()
        sys.stdout.buffer.write(content)

    def print_list(
        self,
        found: Sequence[Any],
        columns: Sequence[str],
        rows: Iterable[Sequence[str | Text]],
        flexible: Sequence[str],
        as_json: bool,
        nothing: str,
    ) -> None:
        """Print values of the client as a table, as JSON if asked for, or the sentence `nothing` if there are none."""
        if as_json:
            self.print_json([one.document for one in found])
        elif found:
            self.print_table(columns, rows, flexible)
        else:
            self.say(nothing)

    def print_table(
        self, columns: Sequence[str], rows: Iterable[Sequence[str | Text]], flexible: Sequence[str] = ()
    ) -> None:
        """Print rows under headings. In a narrow terminal the flexible columns are cut, and all others are complete."""
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column, no_wrap=column not in flexible)
        for row in rows:
            cells = [cell if isinstance(cell, Text) else Text(printable(cell)) for cell in row]
            for cell in cells:
                cell.no_wrap = True
                cell.overflow = "ellipsis"
            table.add_row(*cells)
        self.out.print(table)

    def say(self, message: str, style: str = "") -> None:
        """Print a sentence to stderr."""
        self.err.print(Text(printable(message), style=style), soft_wrap=True)

    def confirm_deletion(self, question: str) -> bool:
        """Return whether a person answers yes.

        Raises:
            CommandFailed: stdin has no answer.
        """
        # typer.confirm(err=True) writes a blank to stdout, which belongs to results.
        self.err.print(Text(printable(f"{question} [y/N]")), end=" ", soft_wrap=True)
        answer = sys.stdin.readline()
        if not answer:
            detail = "Nothing was deleted. There was no answer; with --yes the command does not ask."
            raise CommandFailed(Exit.USAGE, "not_confirmed", detail)
        confirmed = answer.strip().lower() in ("y", "yes")
        if not confirmed:
            self.say("Nothing was deleted.")
        return confirmed


def printable(text: str) -> str:
    """Return text without control characters: a name from elsewhere must not control the terminal."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "�" for letter in text)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where the number is not one."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def printable_name(name: str) -> str:
    """Return a file name in one line."""
    return printable(name).replace("\n", "�")


def _console(stream: TextIO, *, stderr: bool) -> Console:
    width = None if stream.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
    return Console(stderr=stderr, width=width, highlight=False, markup=False)
