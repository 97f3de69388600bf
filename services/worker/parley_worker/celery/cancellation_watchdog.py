"""The cancellation watchdog: kills processes that work on a job which is no longer theirs.

An attempt notices between two batches that it has lost its job. An engine may never get there, or may hold the
interpreter's lock so that not even the lease renewal runs. The watchdog then kills the attempt's process, and Celery
starts another one.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from celery.worker import state

from parley_core.errors import JobNotFound, JobPurged, JobStoreFull, JobStoreUnavailable, JobStoreUnusable
from parley_core.job import Job, JobState
from parley_core.logs import get_logger
from parley_core.ports import JobReader, StopRecorder
from parley_worker.dependencies import worker_name

CHECK_SECONDS = 0.5  # together with the grace time of 2 s well below the promised bound of 5 s
KILL_SIGNAL = signal.SIGUSR2  # interrupts the main thread wherever it is; Celery does not use this signal

log = get_logger(__name__)


class Watch:
    """What the watchdog knows about one Celery request in progress."""

    def __init__(self, child: str) -> None:
        self._child = child
        self.nonce: str | None = None
        self._lost_since: float | None = None

    def seconds_since_loss(self, job: Job | None, now: float) -> float:
        """Return for how long the child has worked on a job that is not its own; 0 while it is.

        Args:
            job: the current record, None if it was purged.
            now: monotonic seconds.
        """
        if self._owns(job):
            self._lost_since = None
            return 0.0
        self._lost_since = self._lost_since or now
        return now - self._lost_since

    def _owns(self, job: Job | None) -> bool:
        """Return False once the child has started an attempt and the job no longer belongs to it."""
        if job is not None and job.words_request is not None and job.words_request.worker == self._child:
            return True  # the job has ended, and the child answers the request for its words
        if self.nonce is None:
            if job is None or not job.attempts or job.attempts[-1].worker != self._child:
                return True  # the child has not started the attempt yet, or never will: a repeated message
            if job.state in (JobState.ACCEPTED, JobState.QUEUED):
                return True
            self.nonce = job.nonce
        return job is not None and job.state is JobState.RUNNING and job.nonce == self.nonce


class WatchdogStore(JobReader, StopRecorder, Protocol):
    """What the watchdog asks of the record."""


class CancellationWatchdog:
    """Checks the children of this worker in a thread and kills in the main thread.

    The main thread receives the end of every request and hands out the next one. So only the main thread can be sure
    that a child still works on the request for which it is to be killed.
    """

    def __init__(self, store: WatchdogStore, grace_seconds: float, kill: Callable[[int, int], None] = os.kill) -> None:
        self._store, self._grace, self._kill = store, grace_seconds, kill
        self._watches: WeakKeyDictionary[Any, Watch] = WeakKeyDictionary()
        self._overdue: list[Any] = []
        self._killed: list[tuple[str, str]] = []

    def start(self) -> None:
        """Watch until the process ends. Must be called in the main thread."""
        signal.signal(KILL_SIGNAL, lambda *_: self.kill_overdue())
        threading.Thread(target=self._watch, name="cancellation-watchdog", daemon=True).start()

    def _watch(self) -> None:
        while True:
            time.sleep(CHECK_SECONDS)
            try:
                active = [request for request in list(state.active_requests) if request.worker_pid]
            except RuntimeError:  # the main thread changed the set during the copy; the next check comes soon
                continue
            self.check(active)
            if self._overdue:
                os.kill(os.getpid(), KILL_SIGNAL)

    def check(self, requests: Iterable[Any]) -> None:
        """Look up the job of each Celery request and note the requests that lost it longer than the grace time ago."""
        self._note_killed()
        for request in requests:
            try:
                job: Job | None = self._store.get(request.args[0])
            except (JobNotFound, JobPurged):
                job = None
            except (JobStoreUnavailable, JobStoreUnusable, JobStoreFull):
                return  # the owner of a job is unknown for now
            watch = self._watches.setdefault(request, Watch(worker_name(request.worker_pid)))
            if watch.seconds_since_loss(job, time.monotonic()) > self._grace:
                self._overdue.append(request)

    def kill_overdue(self) -> None:
        """Kill the children that still work on the requests that `check` noted."""
        while self._overdue:
            request = self._overdue.pop()
            if request in state.active_requests:
                log.warning("child killed: its job was taken away", job_id=request.args[0], pid=request.worker_pid)
                self._kill(request.worker_pid, signal.SIGKILL)
                self._killed.append((request.args[0], self._watches[request].nonce or ""))

    def _note_killed(self) -> None:
        """Note in the record that attempts of cancelled jobs have stopped: they cannot do so themselves."""
        while self._killed:
            try:
                self._store.note_stopped(*self._killed[0])
            except (JobStoreUnavailable, JobStoreUnusable, JobStoreFull):
                return
            self._killed.pop(0)
