"""A planned stop: running attempts give their jobs back, and the worker is gone within half a minute.

Celery's own stop waits until every task has ended, which may take hours. Here the main process tells its children, and
each attempt ends at its engine's next report. An engine that does not report in time is not waited for.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from celery.signals import worker_process_init, worker_shutting_down
from celery.worker import state

from parley_core.errors import ParleyError
from parley_core.job import JobState, Lease
from parley_core.logs import get_logger
from parley_core.ports import AttemptStore, JobReader
from parley_worker.dependencies import worker_name

STOP_SIGNAL = signal.SIGUSR2  # to a child. Celery does not use this signal
REPEAT_SECONDS = 0.5  # a message may reach a child after the first signal
FORCE_SECONDS = 20.0  # for reporting, and for storing a checkpoint

log = get_logger(__name__)

_requested = False


def stop_requested() -> bool:
    """Say whether this child was told to stop."""
    return _requested


def listen_in_children() -> None:
    """Let every child of this process note STOP_SIGNAL. Must be called before the children are started."""
    worker_process_init.connect(_listen, weak=False)


def _listen(**_: object) -> None:
    signal.signal(STOP_SIGNAL, _note)


def _note(*_: object) -> None:
    global _requested
    _requested = True


class StoppingStore(AttemptStore, JobReader, Protocol):
    """What a stop asks of the record."""


class PlannedStop:
    """Ends the running attempts of this worker once it shuts down.

    Args:
        store: of the jobs.
        leave: ends this process at once; its children end with it.
    """

    def __init__(self, store: StoppingStore, leave: Callable[[int], Any] = os._exit) -> None:
        self._store, self._leave = store, leave

    def start(self) -> None:
        """Wait for the shutdown. Must be called in the main process."""
        worker_shutting_down.connect(self._begin, weak=False)

    def _begin(self, **_: object) -> None:
        """Runs in a signal handler, so the work is a thread's."""
        threading.Thread(target=self.end_attempts, name="planned-stop", daemon=True).start()

    def end_attempts(self) -> None:
        """Tell the children to stop, and end those by force that do not; ends this process then."""
        deadline = time.monotonic() + FORCE_SECONDS
        while time.monotonic() < deadline:
            for request in _active_requests():
                with suppress(ProcessLookupError):
                    os.kill(request.worker_pid, STOP_SIGNAL)
            time.sleep(REPEAT_SECONDS)
        for request in _active_requests():
            self.give_back(request)
        log.warning("stopped by force: an attempt did not end in time")
        sys.stdout.flush()
        self._leave(0)

    def give_back(self, request: Any) -> None:
        """Give back the job of a child that does not do it itself, and kill the child."""
        with suppress(ProcessLookupError):
            os.kill(request.worker_pid, signal.SIGKILL)
        try:
            job = self._store.get(request.args[0])
            if job.state is JobState.RUNNING and job.attempts[-1].worker == worker_name(request.worker_pid):
                self._store.give_back(Lease(job.id, job.token, job.nonce))
        except ParleyError as error:
            log.warning("job not given back; its lease ends by itself", job_id=request.args[0], code=error.code)


def _active_requests() -> list[Any]:
    """Return the Celery requests that a child works on."""
    while True:
        with suppress(RuntimeError):  # the main thread changed the set during the copy
            return [request for request in list(state.active_requests) if request.worker_pid]
