"""Every JobQueue keeps these promises: Celery on a real Valkey and the one in memory."""

from __future__ import annotations

import pytest

from parley_core.celery_queue import CeleryJobQueue, broker_url
from parley_core.job import Dispatch, Queue, TimeLimits
from parley_core.ports import JobQueue
from parley_core.settings import Settings
from tests.support.fakes import MemoryJobQueue


@pytest.fixture(params=["celery", "memory"])
def queue(request: pytest.FixtureRequest) -> JobQueue:
    if request.param == "memory":
        return MemoryJobQueue()
    settings: Settings = request.getfixturevalue("settings")
    return CeleryJobQueue.from_settings(settings)


def test_published_ids_wait_in_their_own_queue(queue: JobQueue) -> None:
    limits = TimeLimits(540, 600)
    for name in (Queue.BATCH, Queue.BATCH, Queue.INTERACTIVE):
        queue.publish(Dispatch("id", name, limits))
    assert queue.waiting() == {Queue.INTERACTIVE: 1, Queue.BATCH: 2}


@pytest.mark.parametrize(
    ("ours", "kombus"),
    [
        ("redis://:secret@host:6379/1", "redis://:secret@host:6379/1"),
        ("rediss://host:6380/0", "rediss://host:6380/0"),
        ("unix:///tmp/s?db=2", "redis+socket:///tmp/s?virtual_host=2"),
    ],
)
def test_an_address_is_spelled_as_kombu_wants_it(ours: str, kombus: str) -> None:
    assert broker_url(ours) == kombus
