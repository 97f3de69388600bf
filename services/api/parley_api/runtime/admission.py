"""Decides before a body is read whether another job may come in, so that a refusal costs the caller little."""

from __future__ import annotations

import time
from dataclasses import dataclass

from parley_api.runtime.blocking_calls import BlockingCalls
from parley_core.errors import JobStoreFull, JobStoreUnavailable, QueueFull
from parley_core.job import Queue
from parley_core.ports import SubmitStore
from parley_core.settings import Settings
from parley_core.status import StoreHealth

FRESH_SECONDS = 1.0  # age up to which a snapshot is used; this check is early, the one in `create` is exact


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What the store answered; `health` is None when it was down. `at` is a monotonic time in seconds."""

    at: float
    health: StoreHealth | None
    unfinished: dict[Queue, int]


class Admission:
    """Keeps a snapshot of the job store for a second, so that a burst of submits costs two calls."""

    def __init__(self, store: SubmitStore, blocking: BlockingCalls, settings: Settings) -> None:
        self._store = store
        self._blocking = blocking
        self._settings = settings
        self._snapshot: _Snapshot | None = None

    async def require_memory(self) -> bool:
        """Return whether the job store answers; without it submits are accepted by their manifests alone.

        Raises:
            JobStoreFull: used memory is over the configured share of the limit.
        """
        health = (await self._fresh()).health
        if health is not None and health.max_memory:
            share = health.used_memory / health.max_memory
            if share > self._settings.admission_memory_share:
                raise JobStoreFull(f"The job store is {share:.0%} full. The rest is kept for the jobs it holds.")
        return health is not None

    async def require_room(self, queue: Queue) -> None:
        """Raise QueueFull if the queue holds its limit of unfinished jobs."""
        limit = self._settings.queue_limit
        if (await self._fresh()).unfinished.get(queue, 0) >= limit:
            raise QueueFull(f"The queue {queue} holds its limit of {limit} unfinished jobs.")

    async def _fresh(self) -> _Snapshot:
        now = time.monotonic()
        if self._snapshot is None or now - self._snapshot.at > FRESH_SECONDS:
            try:
                health = await self._blocking.store(self._store.health)
                queues = await self._blocking.store(self._store.queues)
                unfinished = {status.queue: status.unfinished for status in queues}
                self._snapshot = _Snapshot(time.monotonic(), health, unfinished)
            except JobStoreUnavailable:
                self._snapshot = _Snapshot(time.monotonic(), None, {})
        return self._snapshot
