"""The guard: frees the processor from work that no longer counts, however busy the engine is.

An attempt notices its own end between two batches. One that never gets there, or that holds the interpreter's lock so
that not even its heartbeat runs, is ended from outside: its process is killed, and Celery starts another.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any
from weakref import WeakKeyDictionary

from celery.worker import state

from parley_core.errors import JobNotFound, JobPurged, JobStoreFull, JobStoreUnavailable
from parley_core.job import Job, JobState
from parley_core.logs import get_logger
from parley_core.ports import JobReader
from parley_worker.dependencies import worker_name

CHECK_SECONDS = 0.5  # with the grace time of 2 s this keeps the bound of 5 s with time to spare
SIGNAL = signal.SIGUSR2  # interrupts the main thread wherever it is; Celery leaves this signal alone

log = get_logger(__name__)


class Watch:
    """What the guard knows of one message being worked on."""

    def __init__(self, child: str) -> None:
        self._child = child
        self._nonce: str | None = None
        self._lost_since: float | None = None

    def seconds_without_right(self, job: Job | None, now: float) -> float:
        """Return for how long the child has worked on a job that is not, or no longer, its own.

        Args:
            job: the record as it is now, None when it is gone.
            now: monotonic seconds.
        """
        if self._has_right(job):
            self._lost_since = None
            return 0.0
        self._lost_since = self._lost_since or now
        return now - self._lost_since

    def _has_right(self, job: Job | None) -> bool:
        if self._nonce is None and job is not None and _taken_by(job, self._child):
            self._nonce = job.nonce
        if self._nonce is None:
            return True  # has not taken the job yet, or never will: a duplicate ends by itself
        return job is not None and job.state is JobState.RUNNING and job.nonce == self._nonce


def _taken_by(job: Job, child: str) -> bool:
    waiting = job.state in (JobState.ACCEPTED, JobState.QUEUED)
    return bool(job.attempts) and job.attempts[-1].worker == child and not waiting


class CancellationWatchdog:
    """Watches this worker's children from a thread, and kills from the main thread.

    Only there is it certain that a child still works on what it was condemned for: the main thread is also the one that
    hears of a child's end and hands it the next job.
    """

    def __init__(self, store: JobReader, grace_seconds: float, kill: Callable[[int, int], None] = os.kill) -> None:
        self._store, self._grace, self._kill = store, grace_seconds, kill
        self._watches: WeakKeyDictionary[Any, Watch] = WeakKeyDictionary()
        self._condemned: list[Any] = []

    def start(self) -> None:
        """Watch from now on, for as long as the process lives. To be called in the main thread."""
        signal.signal(SIGNAL, lambda *_: self.execute())
        threading.Thread(target=self._watch, name="guard", daemon=True).start()

    def _watch(self) -> None:
        while True:
            time.sleep(CHECK_SECONDS)
            self.check(_snapshot())
            if self._condemned:
                os.kill(os.getpid(), SIGNAL)

    def check(self, requests: Iterable[Any]) -> None:
        """Look up the job of each Celery request and condemn those that lost their right too long ago."""
        for request in requests:
            try:
                job = self._find(request.args[0])
            except (JobStoreUnavailable, JobStoreFull):
                return  # nobody can say who owns what; the next look will
            watch = self._watches.setdefault(request, Watch(worker_name(request.worker_pid)))
            if watch.seconds_without_right(job, time.monotonic()) > self._grace:
                self._condemned.append(request)

    def _find(self, job_id: str) -> Job | None:
        try:
            return self._store.get(job_id)
        except (JobNotFound, JobPurged):
            return None

    def execute(self) -> None:
        """Kill the children that still work on what they were condemned for."""
        while self._condemned:
            request = self._condemned.pop()
            if request in state.active_requests:
                log.warning("child killed: its job was taken away", job_id=request.args[0], pid=request.worker_pid)
                self._kill(request.worker_pid, signal.SIGKILL)


def _snapshot() -> list[Any]:
    """Messages being worked on, by children that have said so."""
    try:
        return [request for request in list(state.active_requests) if request.worker_pid]
    except RuntimeError:  # the main thread changed the set meanwhile; the next look comes soon
        return []
