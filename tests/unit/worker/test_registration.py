"""A worker is registered while it starts jobs, and no longer."""

from __future__ import annotations

from parley_core.settings import Settings
from parley_worker.celery.registration import WorkerRegistration
from tests.support.fakes import MemoryJobStore
from tests.support.waiting import until

SETTINGS = Settings(queues="interactive, batch", concurrency=3)


def seen(store: MemoryJobStore) -> list[tuple[int, int]]:
    return [(status.workers, status.capacity) for status in store.queues()]


def test_a_worker_is_registered_until_it_drains() -> None:
    store = MemoryJobStore()
    registration = WorkerRegistration(store, SETTINGS)
    registration.start()
    until(lambda: seen(store) == [(1, 3), (1, 3)])
    registration.stop()
    until(lambda: seen(store) == [(0, 0), (0, 0)])


def test_a_worker_registers_again_after_an_outage_of_the_store() -> None:
    store = MemoryJobStore()
    store.available = False
    registration = WorkerRegistration(store, SETTINGS)
    registration.register(15)
    store.available = True
    registration.register(15)
    assert seen(store) == [(1, 3), (1, 3)]
