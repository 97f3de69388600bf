"""Registers this worker in the job store, so that callers see which queues are served."""

from __future__ import annotations

import threading

from celery.signals import worker_shutting_down

from parley_core.errors import JobStoreFull, JobStoreUnavailable, JobStoreUnusable
from parley_core.job import Queue
from parley_core.ports import AttemptStore
from parley_core.settings import Settings
from parley_worker.dependencies import instance_name

RENEW_SECONDS = 5.0
EXPIRE_SECONDS = 15.0  # three renewals: a short outage of Redis unregisters no worker


class WorkerRegistration:
    """Keeps the worker registered until it starts to drain: a draining worker starts nothing new."""

    def __init__(self, store: AttemptStore, settings: Settings) -> None:
        self._store, self._capacity = store, settings.concurrency
        self._queues = [Queue(name.strip()) for name in settings.queues.split(",")]
        self._stop = threading.Event()

    def start(self) -> None:
        """Register from a thread until the worker shuts down. Must be called in the main process."""
        worker_shutting_down.connect(self.stop, weak=False)
        threading.Thread(target=self._keep_registered, name="worker-registration", daemon=True).start()

    def stop(self, **_: object) -> None:
        """Unregister. Safe in a signal handler."""
        self._stop.set()

    def _keep_registered(self) -> None:
        while not self._stop.is_set():
            self.register(EXPIRE_SECONDS)
            self._stop.wait(RENEW_SECONDS)
        self.register(0.0)

    def register(self, seconds: float) -> None:
        """Register once, for some seconds. Does not log an outage of Redis: the attempts do."""
        for queue in self._queues:
            try:
                self._store.register_worker(instance_name(), queue, self._capacity, seconds)
            except (JobStoreUnavailable, JobStoreUnusable, JobStoreFull):
                return
