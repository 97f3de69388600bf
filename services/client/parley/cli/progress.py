"""The progress of each file: bars on a terminal, else a line per change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from parley.cli.links import Source
from parley.cli.terminal import printable, printable_name
from parley.models import Job

MAX_BARS = 20  # with more files, bars of finished files are hidden


class ProgressView(Protocol):
    """Shows every step of every file."""

    def fetching(self, path: Source) -> None: ...

    def uploading(self, path: Source, sent: int, total: int) -> None: ...

    def watching(self, path: Source, job: Job) -> None: ...

    def ended(self, path: Source, outcome: str) -> None: ...


@contextmanager
def progress_view(console: Console, files: int) -> Iterator[ProgressView]:
    """Give the view that suits the console, for as long as the context lasts."""
    if not console.is_terminal:
        yield LineView(console)
        return
    name = TextColumn("{task.fields[name]}", markup=False)
    step = TextColumn("{task.description}", markup=False)
    with Progress(name, step, BarColumn(), TimeElapsedColumn(), console=console) as progress:
        yield BarView(progress, keep=files <= MAX_BARS)


class BarView:
    """A bar per file; it fills once for the upload and once for the job."""

    def __init__(self, progress: Progress, *, keep: bool) -> None:
        self._progress = progress
        self._keep = keep
        self._bars: dict[Source, TaskID] = {}

    def fetching(self, path: Source) -> None:
        self._show(path, "fetched by the server", 0.0)

    def uploading(self, path: Source, sent: int, total: int) -> None:
        self._show(path, "uploading", sent / total if total else 1.0)

    def watching(self, path: Source, job: Job) -> None:
        left = f", {format_eta(job)} left" if job.eta else ""
        self._show(path, describe(job) + left, job.progress if job.phase else 0.0)

    def ended(self, path: Source, outcome: str) -> None:
        self._show(path, outcome, 1.0)
        self._progress.stop_task(self._bars[path])
        self._progress.update(self._bars[path], visible=self._keep)

    def _show(self, path: Source, description: str, share: float) -> None:
        if path not in self._bars:
            self._bars[path] = self._progress.add_task(description, total=1.0, name=printable_name(path.name))
        self._progress.update(self._bars[path], description=printable(description), completed=share)


class LineView:
    """A line whenever a file reaches another state or phase."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: dict[Source, str] = {}

    def fetching(self, path: Source) -> None:
        self._show(path, "fetched by the server")

    def uploading(self, path: Source, sent: int, total: int) -> None:
        self._show(path, "uploading")

    def watching(self, path: Source, job: Job) -> None:
        if not job.terminal:  # `ended` shows the end, with the reason
            left = f", {format_eta(job)} left" if job.eta else ""
            self._show(path, f"{describe(job)} ({job.id})", left)

    def ended(self, path: Source, outcome: str) -> None:
        self._show(path, outcome)

    def _show(self, path: Source, step: str, left: str = "") -> None:
        if self._last.get(path) != step:
            self._last[path] = step
            self._console.print(Text(f"{printable_name(path.name)}: {printable(step)}{left}"), soft_wrap=True)


def format_eta(job: Job, *, interval: bool = True) -> str:
    """Return the time until a job ends, as `4m 10s (3m to 6m)`; empty if unknown."""
    if job.eta is None:
        return ""
    middle, low, high = (_rounded(seconds) for seconds in (job.eta.seconds, job.eta.low, job.eta.high))
    return f"{middle} ({low} to {high})" if interval and low != high else middle


def _rounded(seconds: float) -> str:
    """Return a duration with no more digits than an estimate is worth: `40s`, `4m 10s`, `3h 20m`."""
    step = next(step for step, below in ((1, 60), (10, 600), (60, 3_600), (600, float("inf"))) if seconds < below)
    whole = max(1, round(seconds / step) * step)
    hours, minutes, rest = whole // 3_600, whole // 60 % 60, whole % 60
    parts = ((hours, "h"), (minutes, "m"), (rest, "s"))
    return " ".join(f"{number}{unit}" for number, unit in parts if number)


def describe(job: Job) -> str:
    """Return the phase of a running job, else its state."""
    return job.phase if job.state == "running" and job.phase else job.state
