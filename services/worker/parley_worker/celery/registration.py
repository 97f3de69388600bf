"""Says that this worker is there, so that callers see whether anybody serves their queue."""

from __future__ import annotations

import threading

from celery.signals import worker_shutting_down

from parley_core.errors import JobStoreFull, JobStoreUnavailable
from parley_core.job import Queue
from parley_core.ports import AttemptStore
from parley_core.settings import Settings
from parley_worker.dependencies import instance_name

AGAIN_SECONDS = 5.0
LASTS_SECONDS = 15.0  # three misses: a short trouble of Redis makes nobody disappear


class WorkerRegistration:
    """Announces the worker until it is told to stop: one that drains takes nothing more."""

    def __init__(self, store: AttemptStore, settings: Settings) -> None:
        self._store, self._capacity = store, settings.concurrency
        self._queues = [Queue(name.strip()) for name in settings.queues.split(",")]
        self._stop = threading.Event()

    def start(self) -> None:
        """Announce from a thread, from now on. To be called in the main process."""
        worker_shutting_down.connect(self.stop, weak=False)
        threading.Thread(target=self._go_on, name="presence", daemon=True).start()

    def stop(self, **_: object) -> None:
        """Take the announcement back; safe in a signal handler."""
        self._stop.set()

    def _go_on(self) -> None:
        while not self._stop.is_set():
            self.register_worker(LASTS_SECONDS)
            self._stop.wait(AGAIN_SECONDS)
        self.register_worker(0.0)

    def register_worker(self, seconds: float) -> None:
        """Say it once. That Redis is away is told by those who need it for more than this."""
        for queue in self._queues:
            try:
                self._store.register_worker(instance_name(), queue, self._capacity, seconds)
            except (JobStoreUnavailable, JobStoreFull):
                return
