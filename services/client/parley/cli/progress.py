"""How far each file is: a bar per file where a person watches, a line per change where none does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from parley.cli.terminal import printable
from parley.models import Job

MOST_BARS = 20  # with more files, a finished one makes room


class ProgressView(Protocol):
    """Told of every step of every file, by any thread."""

    def uploading(self, path: Path, sent: int, total: int) -> None: ...

    def watching(self, path: Path, job: Job) -> None: ...

    def ended(self, path: Path, outcome: str) -> None: ...


@contextmanager
def progress_view(console: Console, files: int) -> Iterator[ProgressView]:
    """Give the view that suits the console, for as long as the context lasts."""
    if not console.is_terminal:
        yield LineView(console)
        return
    columns = (TextColumn("{task.fields[name]}"), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        yield BarView(progress, keep=files <= MOST_BARS)


class BarView:
    """A bar per file; it fills once for the upload and once for every phase."""

    def __init__(self, progress: Progress, *, keep: bool) -> None:
        self._progress, self._keep = progress, keep
        self._bars: dict[Path, TaskID] = {}
        self._lock = Lock()

    def uploading(self, path: Path, sent: int, total: int) -> None:
        self._show(path, "uploading", sent / total if total else 1.0)

    def watching(self, path: Path, job: Job) -> None:
        self._show(path, describe(job), job.progress if job.phase else None)

    def ended(self, path: Path, outcome: str) -> None:
        self._show(path, outcome, 1.0)
        self._progress.stop_task(self._bar(path))
        if not self._keep:
            self._progress.update(self._bar(path), visible=False)

    def _show(self, path: Path, description: str, share: float | None) -> None:
        self._progress.update(self._bar(path), description=description, completed=share or 0.0, total=1.0)

    def _bar(self, path: Path) -> TaskID:
        with self._lock:
            if path not in self._bars:
                self._bars[path] = self._progress.add_task("waiting", total=1.0, name=printable(path.name))
            return self._bars[path]


class LineView:
    """A line whenever a file comes to another state or phase."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: dict[Path, str] = {}
        self._lock = Lock()

    def uploading(self, path: Path, sent: int, total: int) -> None:
        self._tell(path, "uploading")

    def watching(self, path: Path, job: Job) -> None:
        if not job.terminal:  # how it ended is told once, by the one who knows the reason
            self._tell(path, f"{describe(job)} ({job.id})")

    def ended(self, path: Path, outcome: str) -> None:
        self._tell(path, outcome)

    def _tell(self, path: Path, step: str) -> None:
        with self._lock:
            if self._last.get(path) == step:
                return
            self._last[path] = step
            self._console.print(Text(printable(f"{path.name}: {step}")), soft_wrap=True)


def describe(job: Job) -> str:
    """Return where a job stands, in two words at most."""
    return job.phase if job.state == "running" and job.phase else job.state
