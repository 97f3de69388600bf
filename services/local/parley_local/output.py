"""Output of the parts: a log file for each, and readable lines on the terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from rich.console import Console
from rich.text import Text

LARGEST_LOG = 10 * 1024**2  # bytes; at a start a larger file is renamed to NAME.log.1
LABEL_WIDTH = 8
NOT_SHOWN = frozenset({"event", "level", "logger", "timestamp", "exception", "stack"})
LEVEL_STYLES = {"warning": "yellow", "error": "red", "critical": "bold red"}


class Output:
    """Terminal and log files of one system. Safe for threads.

    Args:
        logs: folder of the log files.
        quiet: write lines of the parts to the files only. Messages of the supervisor are shown anyway.
    """

    def __init__(self, console: Console, logs: Path, *, quiet: bool = False) -> None:
        self.console = console
        self._logs, self._quiet = logs, quiet
        self._lock = Lock()

    def about(self, part: str, colour: str, message: str, style: str = "") -> None:
        """Print a message of the supervisor about a part."""
        self._print(Text.assemble(_label(part, colour), (message, style)))

    def line(self, part: str, colour: str, line: str) -> None:
        """Write a line of a part to its log file and show it."""
        with self._lock, self.log(part).open("a", encoding="utf-8") as log:
            log.write(line + "\n")
        if line and not self._quiet:
            self._print(_label(part, colour) + _readable(line))

    def log(self, part: str) -> Path:
        """Return the log file of a part."""
        return self._logs / f"{part}.log"

    def begin(self, part: str) -> None:
        """Rotate a large log file before a part starts. The file is there from then on, also of a silent part."""
        log = self.log(part)
        if log.exists() and log.stat().st_size > LARGEST_LOG:
            log.replace(log.with_suffix(".log.1"))
        log.touch()

    def last_lines(self, part: str, count: int = 15) -> str:
        """Return the last lines of the log of a part."""
        log = self.log(part)
        return "\n".join(log.read_text(encoding="utf-8").splitlines()[-count:]) if log.exists() else ""

    def _print(self, text: Text) -> None:
        self.console.print(text, soft_wrap=True)


def _label(part: str, colour: str) -> Text:
    return Text.assemble((f"{part:<{LABEL_WIDTH}}", colour), ("│ ", "dim"))


def _readable(line: str) -> Text:
    """Return a JSON log line as event and fields, and any other line unchanged."""
    try:
        fields = json.loads(line)
    except ValueError:
        fields = None
    if isinstance(fields, dict) and "event" in fields:
        return _event(fields)
    return Text(_printable(line))


def _event(fields: Mapping[str, Any]) -> Text:
    details = _printable(" ".join(f"{name}={value}" for name, value in fields.items() if name not in NOT_SHOWN))
    trace = _printable("\n" + str(fields["exception"])) if fields.get("exception") else ""
    event = (_printable(str(fields["event"])), LEVEL_STYLES.get(str(fields.get("level")), ""))
    return Text.assemble(event, " " if details else "", (details, "dim"), trace)


def _printable(text: str) -> str:
    """Remove control characters, which could change the terminal."""
    return "".join(letter for letter in text if letter.isprintable() or letter == "\n")
