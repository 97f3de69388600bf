"""What each duty of the keeper puts right, and that several keepers do not get into each other's way."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parley_api.keeper.duties import FORGOTTEN_SECONDS, find_forgotten, import_journal, publish_due, reap
from parley_core.errors import JobStoreUnavailable, ObjectStoreUnavailable
from parley_core.job import MAX_ATTEMPTS, Failure, JobState, RetryIn
from parley_core.ports import IdempotencyKey, dispatch_of
from parley_core.testing import MemoryJobQueue, MemoryJobStore, MemoryJournal, MemoryRecordingStore, new_job


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class House:
    """Ports in memory on a clock that a test moves."""

    def __init__(self, queue_limit: int = 10_000) -> None:
        self.clock = Clock()
        self.store = MemoryJobStore(now=self.clock, queue_limit=queue_limit)
        self.queue = MemoryJobQueue()
        self.objects = MemoryRecordingStore()
        self.journal = MemoryJournal(self.objects)

    def publish(self) -> int:
        return publish_due(self.store, self.queue)

    def import_journal(self) -> int:
        return import_journal(self.journal, self.store, self.queue)

    def published(self) -> list[str]:
        return [dispatch.job_id for dispatch in self.queue.published]

    def submit(self) -> str:
        return self.store.create(new_job()).job.id


@pytest.fixture
def house() -> House:
    return House()


def test_a_job_that_its_api_did_not_publish_is_published_once(house: House) -> None:
    job_id = house.submit()
    assert house.publish() == 0, "its API has some seconds to do so"
    house.clock.now += 6
    assert house.publish() == 1
    assert (house.published(), house.store.get(job_id).state) == ([job_id], JobState.QUEUED)
    house.clock.now += 60
    assert house.publish() == 0


def test_two_keepers_publish_each_job_once(house: House) -> None:
    jobs = {house.submit() for _ in range(250)}
    house.clock.now += 6
    assert house.publish() + publish_due(house.store, house.queue) == 250
    assert set(house.published()) == jobs


def test_a_publish_that_failed_is_done_again_once_the_claim_has_lapsed(house: House) -> None:
    job_id = house.submit()
    house.clock.now += 6
    house.queue.available = False
    with pytest.raises(JobStoreUnavailable):
        house.publish()
    house.queue.available = True
    house.clock.now += 11
    assert house.publish() == 1
    assert house.published() == [job_id]


def test_a_job_whose_message_was_lost_is_published_again(house: House) -> None:
    job_id = house.submit()
    house.clock.now += 6
    house.publish()
    house.queue.take()
    assert find_forgotten(house.store, house.queue) == 0
    house.clock.now += FORGOTTEN_SECONDS + 1
    assert find_forgotten(house.store, house.queue) == 1
    assert house.publish() == 1
    assert house.published() == [job_id]


def run_until_lost(house: House, job_id: str) -> None:
    assert house.store.start_attempt(job_id, "host/a/1", 30)
    house.clock.now += 31


def test_the_job_of_a_silent_worker_is_free_at_once(house: House) -> None:
    job_id = house.submit()
    run_until_lost(house, job_id)
    assert reap(house.store) == 1
    assert house.publish() == 1
    job = house.store.get(job_id)
    assert job.attempts[0].error == Failure(
        "worker_lost", "Worker host/a/1 was not heard of for longer than its lease."
    )


def test_a_job_that_loses_every_worker_fails_after_the_last_attempt(house: House) -> None:
    job_id = house.submit()
    for _ in range(MAX_ATTEMPTS):
        run_until_lost(house, job_id)
        assert reap(house.store) == 1
    job = house.store.get(job_id)
    assert (job.state, len(job.attempts)) == (JobState.FAILED, MAX_ATTEMPTS)
    assert job.error is not None
    assert job.error.code == "worker_lost"


def test_two_keepers_reap_once_and_a_worker_that_is_back_keeps_its_job(house: House) -> None:
    job_id = house.submit()
    run_until_lost(house, job_id)
    lapsed = house.store.lapsed_leases(10)
    house.store.renew(lapsed[0].lease, 30, None, 0.5)
    house.store.lapsed_leases = lambda limit: lapsed  # type: ignore[method-assign]
    assert reap(house.store) == 0
    assert house.store.get(job_id).state is JobState.RUNNING


def test_the_journal_is_imported_under_the_ids_that_were_given_out(house: House) -> None:
    first, second = new_job(), new_job()
    house.journal.add(first, IdempotencyKey("k", "d"))
    house.journal.add(second, None)
    assert house.import_journal() == 2
    assert sorted(house.published()) == sorted([first.id, second.id])
    assert house.store.get(first.id).state is JobState.QUEUED
    assert house.journal.entries() == []


def test_an_import_broken_off_is_done_again_and_makes_one_job(house: House) -> None:
    new = new_job()
    house.journal.add(new, None)
    house.queue.available = False
    with pytest.raises(JobStoreUnavailable):
        house.import_journal()
    house.journal.add(new, None)
    house.queue.available = True
    house.import_journal()
    assert house.store.get(new.id).state is JobState.QUEUED
    assert house.store.stats().counters["jobs_accepted|queue=interactive"] == 1


@pytest.mark.parametrize("digest", ["same", "other"])
def test_a_journalled_job_keeps_its_id_though_its_key_made_another_one_since(house: House, digest: str) -> None:
    house.store.create(new_job(), IdempotencyKey("k", digest))
    new = new_job()
    house.journal.add(new, IdempotencyKey("k", "same"))
    assert house.import_journal() == 1
    assert house.store.get(new.id).id == new.id


def test_a_full_queue_leaves_the_entry_in_the_journal_until_there_is_room() -> None:
    house = House(queue_limit=1)
    before = house.submit()
    house.journal.add(new_job(), None)
    assert house.import_journal() == 0
    assert len(house.journal.entries()) == 1
    house.store.cancel(before)
    assert house.import_journal() == 1


def test_a_store_that_is_down_leaves_the_journal_as_it_is(house: House) -> None:
    house.journal.add(new_job(), None)
    house.store.available = False
    with pytest.raises(JobStoreUnavailable):
        house.import_journal()
    assert len(house.journal.entries()) == 1


def test_objects_that_are_down_are_told_as_such(house: House) -> None:
    house.objects.available = False
    with pytest.raises(ObjectStoreUnavailable):
        house.import_journal()


def test_a_late_word_of_an_older_publish_does_not_hide_a_job_that_waits_for_its_next_attempt(house: House) -> None:
    job_id = house.submit()
    stale = dispatch_of(house.store.get(job_id))
    started = house.store.start_attempt(job_id, "host/a/1", 30)
    assert started
    house.store.fail_attempt(started[1], Failure("engine_error", "x"), RetryIn(60.0))
    house.store.mark_queued(replace(stale))
    house.clock.now += 61
    assert house.publish() == 1
