"""What each task of the keeper puts right, and that several keepers do not get into each other's way."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from parley_core.errors import JobStoreUnavailable, ObjectStoreUnavailable
from parley_core.job import MAX_ATTEMPTS, Failure, IdempotencyKey, JobState, RetryIn, dispatch_of
from parley_keeper.maintenance import FORGOTTEN_SECONDS, import_journal, publish_due, reap, republish_lost
from tests.support.fakes import MemoryJobQueue, MemoryJobStore, MemoryJournal, MemoryRecordingStore, new_job


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class ApiFixture:
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
def fixture() -> ApiFixture:
    return ApiFixture()


def test_a_job_that_its_api_did_not_publish_is_published_once(fixture: ApiFixture) -> None:
    job_id = fixture.submit()
    assert fixture.publish() == 0, "its API has some seconds to do so"
    fixture.clock.now += 6
    assert fixture.publish() == 1
    assert (fixture.published(), fixture.store.get(job_id).state) == ([job_id], JobState.QUEUED)
    fixture.clock.now += 60
    assert fixture.publish() == 0


def test_two_keepers_publish_each_job_once(fixture: ApiFixture) -> None:
    jobs = {fixture.submit() for _ in range(250)}
    fixture.clock.now += 6
    assert fixture.publish() + publish_due(fixture.store, fixture.queue) == 250
    assert set(fixture.published()) == jobs


def test_a_publish_that_failed_is_done_again_once_the_claim_has_lapsed(fixture: ApiFixture) -> None:
    job_id = fixture.submit()
    fixture.clock.now += 6
    fixture.queue.available = False
    with pytest.raises(JobStoreUnavailable):
        fixture.publish()
    fixture.queue.available = True
    fixture.clock.now += 11
    assert fixture.publish() == 1
    assert fixture.published() == [job_id]


def test_a_job_whose_message_was_lost_is_published_again(fixture: ApiFixture) -> None:
    job_id = fixture.submit()
    fixture.clock.now += 6
    fixture.publish()
    fixture.queue.take()
    assert republish_lost(fixture.store, fixture.queue) == 0
    fixture.clock.now += FORGOTTEN_SECONDS + 1
    assert republish_lost(fixture.store, fixture.queue) == 1
    assert fixture.publish() == 1
    assert fixture.published() == [job_id]


def run_until_lost(fixture: ApiFixture, job_id: str) -> None:
    assert fixture.store.start_attempt(job_id, "host/a/1", 30)
    fixture.clock.now += 31


def test_the_job_of_a_silent_worker_is_free_at_once(fixture: ApiFixture) -> None:
    job_id = fixture.submit()
    run_until_lost(fixture, job_id)
    assert reap(fixture.store) == 1
    assert fixture.publish() == 1
    job = fixture.store.get(job_id)
    assert job.attempts[0].error == Failure(
        "worker_lost", "Worker host/a/1 was not heard of for longer than its lease."
    )


def test_a_job_that_loses_every_worker_fails_after_the_last_attempt(fixture: ApiFixture) -> None:
    job_id = fixture.submit()
    for _ in range(MAX_ATTEMPTS):
        run_until_lost(fixture, job_id)
        assert reap(fixture.store) == 1
    job = fixture.store.get(job_id)
    assert (job.state, len(job.attempts)) == (JobState.FAILED, MAX_ATTEMPTS)
    assert job.error is not None
    assert job.error.code == "worker_lost"


def test_two_keepers_reap_once_and_a_worker_that_is_back_keeps_its_job(fixture: ApiFixture) -> None:
    job_id = fixture.submit()
    run_until_lost(fixture, job_id)
    lapsed = fixture.store.lapsed_leases(10)
    fixture.store.renew(lapsed[0].lease, 30, None, 0.5)
    fixture.store.lapsed_leases = lambda limit: lapsed  # type: ignore[method-assign]
    assert reap(fixture.store) == 0
    assert fixture.store.get(job_id).state is JobState.RUNNING


def test_the_journal_is_imported_under_the_ids_that_were_given_out(fixture: ApiFixture) -> None:
    first, second = new_job(), new_job()
    fixture.journal.add(first, IdempotencyKey("k", "d"))
    fixture.journal.add(second, None)
    assert fixture.import_journal() == 2
    assert sorted(fixture.published()) == sorted([first.id, second.id])
    assert fixture.store.get(first.id).state is JobState.QUEUED
    assert fixture.journal.entries() == []


def test_an_import_broken_off_is_done_again_and_makes_one_job(fixture: ApiFixture) -> None:
    new = new_job()
    fixture.journal.add(new, None)
    fixture.queue.available = False
    with pytest.raises(JobStoreUnavailable):
        fixture.import_journal()
    fixture.journal.add(new, None)
    fixture.queue.available = True
    fixture.import_journal()
    assert fixture.store.get(new.id).state is JobState.QUEUED
    assert fixture.store.stats().counters["jobs_accepted|queue=interactive"] == 1


@pytest.mark.parametrize("digest", ["same", "other"])
def test_a_journalled_job_keeps_its_id_though_its_key_made_another_one_since(fixture: ApiFixture, digest: str) -> None:
    fixture.store.create(new_job(), IdempotencyKey("k", digest))
    new = new_job()
    fixture.journal.add(new, IdempotencyKey("k", "same"))
    assert fixture.import_journal() == 1
    assert fixture.store.get(new.id).id == new.id


def test_a_full_queue_takes_in_what_was_promised() -> None:
    fixture = ApiFixture(queue_limit=1)
    fixture.submit()
    fixture.journal.add(new_job(), None)
    assert fixture.import_journal() == 1
    assert fixture.journal.entries() == []


def test_an_imported_job_keeps_its_place_before_newer_ones(fixture: ApiFixture) -> None:
    journalled = new_job()
    fixture.clock.now = time.time() + 60
    newer = fixture.submit()
    fixture.journal.add(journalled, None)
    fixture.import_journal()
    assert fixture.store.get(journalled.id).position == 0
    assert fixture.store.get(newer).position == 1


def test_a_purged_job_does_not_come_back_from_the_journal(fixture: ApiFixture) -> None:
    new = new_job()
    fixture.store.create(new)
    fixture.journal.add(new, None)
    fixture.store.cancel(new.id)
    fixture.store.purge(new.id)
    assert fixture.import_journal() == 0
    assert fixture.journal.entries() == []
    assert fixture.published() == []


def test_a_store_that_is_down_leaves_the_journal_as_it_is(fixture: ApiFixture) -> None:
    fixture.journal.add(new_job(), None)
    fixture.store.available = False
    with pytest.raises(JobStoreUnavailable):
        fixture.import_journal()
    assert len(fixture.journal.entries()) == 1


def test_objects_that_are_down_are_told_as_such(fixture: ApiFixture) -> None:
    fixture.objects.available = False
    with pytest.raises(ObjectStoreUnavailable):
        fixture.import_journal()


def test_a_late_word_of_an_older_publish_does_not_hide_a_job_that_waits_for_its_next_attempt(
    fixture: ApiFixture,
) -> None:
    job_id = fixture.submit()
    stale = dispatch_of(fixture.store.get(job_id))
    started = fixture.store.start_attempt(job_id, "host/a/1", 30)
    assert started
    fixture.store.fail_attempt(started[1], Failure("engine_error", "x"), RetryIn(60.0))
    fixture.store.mark_queued(replace(stale))
    fixture.clock.now += 61
    assert fixture.publish() == 1
