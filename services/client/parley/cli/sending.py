"""Many files on their way at once: uploaded a few at a time, then watched until their jobs have ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any

from parley.cli.exits import Exit, exit_for
from parley.cli.progress import ProgressView
from parley.client import Parley
from parley.errors import ParleyClientError
from parley.models import Job, Turns

UPLOADS = 4  # at once; more do not fill a line better
WATCHES = 16  # at once; jobs end about in the order in which they were submitted
WATCH_SECONDS = 1.0  # how often progress is looked at, and how soon Ctrl-C is felt


class Stopped(Exception):  # noqa: N818 - a request from the person, no error
    """Ctrl-C was pressed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file. `job` is None when it was never accepted, `turns` unless the job succeeded."""

    path: Path
    job: Job | None = None
    turns: Turns | None = None
    error: Exception | None = None

    @property
    def exit(self) -> Exit:
        if self.error is not None:
            return exit_for(self.error)
        ended_badly = self.job is not None and self.job.terminal and not self.job.succeeded
        return Exit.JOB_FAILED if ended_badly else Exit.OK

    @property
    def summary(self) -> str:
        """One line for people."""
        if self.error is not None:
            return str(self.error) if self.job is None else f"{self.error} Job {self.job.id} is safe: it was accepted."
        assert self.job is not None, "an outcome has an error or a job"
        if self.job.error is not None:
            return f"{self.job.state}: {self.job.error.detail} ({self.job.error.code})"
        return self.job.state


class Stop:
    """Ctrl-C, told to every thread that works for this command."""

    def __init__(self) -> None:
        self._event = Event()

    def set(self) -> None:
        self._event.set()

    def check(self) -> None:
        """Raise Stopped once it was pressed."""
        if self._event.is_set():
            raise Stopped

    def pause(self, seconds: float) -> None:
        """Sleep, but not longer than until it is pressed."""
        self._event.wait(seconds)
        self.check()


class Sender:
    """Submits files and follows their jobs.

    Args:
        options: keyword arguments of Parley.submit.
        wait: follow every job to its end and fetch its turns; else the job as accepted is the outcome.
        keep: given each file's turns as soon as they are there, by the thread that fetched them.

    `accepted` holds the jobs there are so far, also when `send` is interrupted.
    """

    def __init__(
        self,
        parley: Parley,
        view: ProgressView,
        stop: Stop,
        *,
        options: dict[str, Any],
        wait: bool,
        keep: Callable[[Path, Turns], None] = lambda path, turns: None,
    ) -> None:
        self._parley, self._view, self._stop = parley, view, stop
        self._options, self._wait, self._keep = options, wait, keep
        self.accepted: list[Job] = []

    def send(self, paths: Sequence[Path]) -> list[Outcome]:
        """Return the outcome of each file, in the order given. KeyboardInterrupt stops all threads and passes."""
        # The inner pool must outlive the outer one, whose threads hand their jobs to it.
        with ThreadPoolExecutor(WATCHES) as watches, ThreadPoolExecutor(UPLOADS) as uploads:
            try:
                uploading = [uploads.submit(self._send_one, path, watches) for path in paths]
                return [future.result().result() for future in uploading]
            except BaseException:
                self._stop.set()
                raise

    def _send_one(self, path: Path, watches: ThreadPoolExecutor) -> Future[Outcome]:
        outcome = self._guarded(self._upload, Outcome(path))
        if self._wait and outcome.error is None:
            return watches.submit(self._follow, outcome)
        return _done(self._end(outcome))

    def _upload(self, outcome: Outcome) -> Outcome:
        def on_bytes(sent: int, total: int) -> None:
            self._stop.check()
            self._view.uploading(outcome.path, sent, total)

        self._stop.check()
        job = self._parley.submit(outcome.path, on_bytes=on_bytes, **self._options)
        self.accepted.append(job)
        self._view.watching(outcome.path, job)
        return replace(outcome, job=job)

    def _follow(self, outcome: Outcome) -> Outcome:
        return self._end(self._guarded(self._watch, outcome))

    def _watch(self, outcome: Outcome) -> Outcome:
        assert outcome.job is not None, "only accepted jobs are watched"
        for job in self._parley.watch(outcome.job.id, every=WATCH_SECONDS):
            self._stop.check()
            self._view.watching(outcome.path, job)
            outcome = replace(outcome, job=job)
        if not job.succeeded:
            return outcome
        turns = self._parley.turns(job.id)
        self._keep(outcome.path, turns)
        return replace(outcome, turns=turns)

    def _guarded(self, step: Callable[[Outcome], Outcome], outcome: Outcome) -> Outcome:
        """One file's trouble is its own outcome, not the end of the others."""
        try:
            return step(outcome)
        except (ParleyClientError, OSError) as error:
            return replace(outcome, error=error)

    def _end(self, outcome: Outcome) -> Outcome:
        self._view.ended(outcome.path, outcome.summary)
        return outcome


def _done(outcome: Outcome) -> Future[Outcome]:
    future: Future[Outcome] = Future()
    future.set_result(outcome)
    return future
