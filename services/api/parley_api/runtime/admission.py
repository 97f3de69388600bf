"""May another job come in? Asked before a body is read, so that a full house costs the caller nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass

from parley_api.runtime.blocking_calls import BlockingCalls
from parley_core.errors import JobStoreFull, JobStoreUnavailable, QueueFull
from parley_core.job import JobOptions, Queue, StoreHealth
from parley_core.ports import SubmitStore
from parley_core.settings import Settings

FRESH_SECONDS = 1.0  # how long one look at the store is good for; `create` refuses exactly, this one early


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What the store said, or None when it was down."""

    at: float
    health: StoreHealth | None
    unfinished: dict[Queue, int]


class Admission:
    """Remembers for a second how the job store is, so that a burst of submits asks it once."""

    def __init__(self, store: SubmitStore, calls: BlockingCalls, settings: Settings) -> None:
        self._store, self._calls, self._settings = store, calls, settings
        self._look: _Snapshot | None = None

    async def store_answers(self) -> bool:
        """Say whether the job store is there, without which submits are journalled. Raises JobStoreFull."""
        health = (await self._fresh()).health
        if health is not None and health.max_memory:
            share = health.used_memory / health.max_memory
            if share > self._settings.admission_memory_share:
                raise JobStoreFull(f"The job store is {share:.0%} full; what it holds needs the rest to finish.")
        return health is not None

    async def require_room(self, options: JobOptions) -> None:
        """Raise QueueFull when the job's queue holds its limit of unfinished jobs."""
        limit = self._settings.queue_limit
        if (await self._fresh()).unfinished.get(options.queue, 0) >= limit:
            raise QueueFull(f"The queue {options.queue} holds its limit of {limit} unfinished jobs.")

    async def _fresh(self) -> _Snapshot:
        if self._look is None or time.monotonic() - self._look.at > FRESH_SECONDS:
            self._look = await self._new_look()
        return self._look

    async def _new_look(self) -> _Snapshot:
        try:
            health = await self._calls.store(self._store.health)
            queues = await self._calls.store(self._store.queues)
        except JobStoreUnavailable:
            return _Snapshot(time.monotonic(), None, {})
        return _Snapshot(time.monotonic(), health, {status.queue: status.unfinished for status in queues})
