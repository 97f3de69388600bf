"""What each task of the keeper puts right, and that several keepers do not get into each other's way."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from parley_core.durable_job_store import DurableJobStore
from parley_core.errors import JobPurged, JobStoreUnavailable, ObjectStoreUnavailable
from parley_core.job import MAX_ATTEMPTS, Failure, IdempotencyKey, JobState, Queue, RetryIn, dispatch_of
from parley_core.job_id import day_of
from parley_keeper import maintenance
from parley_keeper.maintenance import UNSTARTED_SECONDS, publish_due, reap, record_accepted, republish_lost
from tests.support.fakes import MemoryJobQueue, MemoryJobStore, MemoryRecordingStore, new_job


def nothing() -> None:
    """No progress to note."""


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class ApiFixture:
    """Ports in memory on a clock that a test moves."""

    def __init__(self, queue_limit: int = 10_000) -> None:
        self.clock = Clock()
        self.index = MemoryJobStore(now=self.clock, queue_limit=queue_limit)
        self.queue = MemoryJobQueue()
        self.objects = MemoryRecordingStore()
        self.store = DurableJobStore(self.index, self.objects)

    def publish(self) -> int:
        return publish_due(self.store, self.queue, nothing)

    def record_accepted(self) -> int:
        return record_accepted(self.store, self.queue, nothing)

    def accepted_without_redis(self, key: IdempotencyKey | None = None) -> str:
        self.index.available = False
        job_id = self.store.create(new_job(), key).job.id
        self.index.available = True
        return job_id

    def published(self) -> list[str]:
        return [dispatch.job_id for dispatch in self.queue.published]

    def submit(self) -> str:
        return self.store.create(new_job()).job.id


@pytest.fixture
def fixture() -> ApiFixture:
    return ApiFixture()


def test_a_job_that_its_api_did_not_publish_is_published_once(fixture: ApiFixture) -> None:
    job_id = fixture.submit()
    assert fixture.publish() == 1
    assert (fixture.published(), fixture.store.get(job_id).state) == ([job_id], JobState.QUEUED)
    fixture.clock.now += 60
    assert fixture.publish() == 0


def test_two_keepers_publish_each_job_once(fixture: ApiFixture) -> None:
    fixture.store.register_worker("host/a", Queue.INTERACTIVE, 250, 60)
    jobs = {fixture.submit() for _ in range(250)}
    assert fixture.publish() + publish_due(fixture.store, fixture.queue, nothing) == 250
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
    assert republish_lost(fixture.store, fixture.queue, nothing) == 0
    fixture.clock.now += UNSTARTED_SECONDS + 1
    assert republish_lost(fixture.store, fixture.queue, nothing) == 1
    assert fixture.publish() == 1
    assert fixture.published() == [job_id]


def run_until_lost(fixture: ApiFixture, job_id: str) -> None:
    assert fixture.store.start_attempt(job_id, "host/a/1", 30)
    fixture.clock.now += 31


def test_the_job_of_a_silent_worker_is_free_at_once(fixture: ApiFixture) -> None:
    job_id = fixture.submit()
    run_until_lost(fixture, job_id)
    assert reap(fixture.store, nothing) == 1
    assert fixture.publish() == 1
    job = fixture.store.get(job_id)
    assert job.attempts[0].error == Failure("worker_lost", "Worker host/a/1 has not renewed its lease in time.")


def test_a_job_that_loses_every_worker_fails_after_the_last_attempt(fixture: ApiFixture) -> None:
    job_id = fixture.submit()
    for _ in range(MAX_ATTEMPTS):
        run_until_lost(fixture, job_id)
        assert reap(fixture.store, nothing) == 1
    job = fixture.store.get(job_id)
    assert (job.state, len(job.attempts)) == (JobState.FAILED, MAX_ATTEMPTS)
    assert job.error is not None
    assert job.error.code == "worker_lost"


def test_two_keepers_reap_once_and_a_worker_that_is_back_keeps_its_job(fixture: ApiFixture) -> None:
    job_id = fixture.submit()
    run_until_lost(fixture, job_id)
    lapsed = fixture.store.lapsed_leases(10)
    fixture.store.renew(lapsed[0].lease, 30, None, 0.5)
    fixture.index.lapsed_leases = lambda limit: lapsed  # type: ignore[method-assign]
    assert reap(fixture.store, nothing) == 0
    assert fixture.store.get(job_id).state is JobState.RUNNING


def test_jobs_accepted_without_redis_are_recorded_under_the_ids_that_were_given_out(fixture: ApiFixture) -> None:
    first, second = fixture.accepted_without_redis(IdempotencyKey("k", "d")), fixture.accepted_without_redis()
    assert fixture.record_accepted() == 2
    assert sorted(fixture.published()) == sorted([first, second])
    assert fixture.index.get(first).state is JobState.QUEUED
    assert list(fixture.store.manifests.unrecorded()) == []


def test_a_recording_broken_off_is_done_again_and_makes_one_job(fixture: ApiFixture) -> None:
    job_id = fixture.accepted_without_redis()
    fixture.queue.available = False
    with pytest.raises(JobStoreUnavailable):
        fixture.record_accepted()
    fixture.store.manifests.mark_unrecorded(job_id)
    fixture.queue.available = True
    fixture.record_accepted()
    assert fixture.index.get(job_id).state is JobState.QUEUED
    assert fixture.store.stats().counters["jobs_accepted|queue=interactive"] == 1


@pytest.mark.parametrize("digest", ["same", "other"])
def test_an_accepted_job_keeps_its_id_though_its_key_made_another_one_since(fixture: ApiFixture, digest: str) -> None:
    job_id = fixture.accepted_without_redis(IdempotencyKey("k", "same"))
    fixture.index.create(new_job(), IdempotencyKey("k", digest))
    assert fixture.record_accepted() == 1
    assert fixture.index.get(job_id).id == job_id


def test_a_full_queue_takes_in_what_was_promised() -> None:
    fixture = ApiFixture(queue_limit=1)
    fixture.submit()
    fixture.accepted_without_redis()
    assert fixture.record_accepted() == 1
    assert list(fixture.store.manifests.unrecorded()) == []


def test_a_job_recorded_late_keeps_its_place_before_newer_ones(fixture: ApiFixture) -> None:
    first = fixture.accepted_without_redis()
    time.sleep(0.002)  # both are published at the same time of the clock, and stand in the order of their ids then
    fixture.clock.now = time.time() + 60
    newer = fixture.submit()
    fixture.record_accepted()
    assert fixture.index.get(first).position == 0
    assert fixture.index.get(newer).position == 1


def test_a_store_that_is_down_leaves_accepted_jobs_as_they_are(fixture: ApiFixture) -> None:
    fixture.accepted_without_redis()
    fixture.index.available = False
    with pytest.raises(JobStoreUnavailable):
        fixture.record_accepted()
    assert len(list(fixture.store.manifests.unrecorded())) == 1


def test_objects_that_are_down_are_told_as_such(fixture: ApiFixture) -> None:
    fixture.objects.available = False
    with pytest.raises(ObjectStoreUnavailable):
        fixture.record_accepted()


@pytest.mark.parametrize("damage", [b"", b"nonsense", b"[]", b'{"job": {}, "idempotency": null}'])
def test_a_manifest_that_cannot_be_read_stops_no_other(fixture: ApiFixture, damage: bytes) -> None:
    damaged = fixture.accepted_without_redis()
    fixture.objects.put(f"jobs/{day_of(damaged)}/{damaged}/manifest.json", damage)
    sound = [fixture.accepted_without_redis() for _ in range(3)]
    assert fixture.record_accepted() == 3
    assert sorted(fixture.published()) == sorted(sound)
    assert list(fixture.store.manifests.unrecorded()) == [damaged]


def test_a_job_cancelled_or_deleted_before_it_was_recorded_does_not_come_back(fixture: ApiFixture) -> None:
    cancelled, deleted = fixture.accepted_without_redis(), fixture.accepted_without_redis()
    fixture.store.cancel(cancelled)
    fixture.store.remove(fixture.store.cancel(deleted))
    assert fixture.record_accepted() == 1
    assert fixture.published() == []
    assert fixture.store.get(cancelled).state is JobState.CANCELLED
    with pytest.raises(JobPurged):
        fixture.store.get(deleted)


def test_a_long_round_shows_progress_entry_by_entry(fixture: ApiFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "BATCH", 5)
    fixture.store.register_worker("host/a", Queue.INTERACTIVE, 20, 1e9)
    for _ in range(20):
        fixture.accepted_without_redis()
    progress: list[int] = []
    record_accepted(fixture.store, fixture.queue, lambda: progress.append(len(fixture.published())))
    assert len(progress) == 20
    assert progress[4::5] == [5, 10, 15, 20], "no batch is read before the one before it is recorded"


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
