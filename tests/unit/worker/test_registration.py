"""A worker is seen while it takes jobs, and no longer."""

from __future__ import annotations

from parley_core.settings import Settings
from parley_worker.celery.registration import WorkerRegistration
from tests.support.fakes import MemoryJobStore
from tests.support.waiting import until

SETTINGS = Settings(queues="interactive, batch", concurrency=3)


def seen(store: MemoryJobStore) -> list[tuple[int, int]]:
    return [(status.workers, status.capacity) for status in store.queues()]


def test_it_serves_its_queues_until_it_drains() -> None:
    store = MemoryJobStore()
    presence = WorkerRegistration(store, SETTINGS)
    presence.start()
    until(lambda: seen(store) == [(1, 3), (1, 3)])
    presence.stop()
    until(lambda: seen(store) == [(0, 0), (0, 0)])


def test_a_store_that_is_down_stops_nothing() -> None:
    store = MemoryJobStore()
    store.available = False
    presence = WorkerRegistration(store, SETTINGS)
    presence.register_worker(15)
    store.available = True
    presence.register_worker(15)
    assert seen(store) == [(1, 3), (1, 3)]
