"""What the object store holds stands, whatever Redis has forgotten and wherever a process died between the two."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from parley_core.durable_job_store import DurableJobStore
from parley_core.errors import (
    JobAlreadyTerminal,
    JobCancelled,
    JobNotFound,
    JobNotRetryable,
    JobPurged,
    JobStoreUnavailable,
    JobStoreUnusable,
    LeaseLost,
    ObjectStoreUnavailable,
    QueueFull,
    RecordUnreadable,
    WorkerLost,
)
from parley_core.job import (
    Failure,
    GiveUp,
    IdempotencyKey,
    Job,
    JobEnd,
    JobState,
    Lease,
    NewJob,
    Phase,
    ResultSummary,
    RetryIn,
)
from parley_core.recording import result_key
from tests.support.fakes import MemoryJobStore, MemoryRecordingStore, new_job

NEVER = datetime(2026, 1, 1, tzinfo=UTC)
LOST = Failure(WorkerLost.code, "The worker was not heard of.")
BUSY = Failure("engine_error", "It broke.")


def timeless(job: Job) -> Job:
    """Redis and the object store each use a clock of their own, milliseconds apart."""
    attempts = tuple(replace(attempt, started_at=NEVER, ended_at=NEVER) for attempt in job.attempts)
    return replace(job, nonce="", created_at=NEVER, started_at=NEVER, finished_at=NEVER, attempts=attempts)


def result(name: str = "a") -> ResultSummary:
    return ResultSummary(f"results/x/{name}.json", 2, 5, 12.5, {"name": "onnx"}, {"engine": 1.0})


class Fixture:
    """A durable store on fakes, and hands to make Redis forget."""

    def __init__(self) -> None:
        self.index, self.objects = MemoryJobStore(queue_limit=5), MemoryRecordingStore()
        self.store = DurableJobStore(self.index, self.objects)

    def accepted(self, key: IdempotencyKey | None = None) -> NewJob:
        new = new_job()
        self.store.create(new, key)
        return new

    def running(self, job_id: str) -> tuple[Job, Lease]:
        started = self.store.start_attempt(job_id, "w/1", 30)
        assert started is not None
        return started

    def wipe(self) -> None:
        self.index.roll_back(MemoryJobStore().snapshot())


@pytest.fixture
def fixture() -> Fixture:
    return Fixture()


def test_nothing_is_recorded_that_has_no_manifest(fixture: Fixture) -> None:
    fixture.objects.available = False
    new = new_job()
    with pytest.raises(ObjectStoreUnavailable):
        fixture.store.create(new)
    with pytest.raises(JobNotFound):
        fixture.index.get(new.id)


def test_a_job_is_accepted_without_redis_and_recorded_later(fixture: Fixture) -> None:
    fixture.index.available = False
    new = fixture.accepted()
    assert list(fixture.store.manifests.unrecorded()) == [new.id]
    assert fixture.store.get(new.id).state is JobState.ACCEPTED
    fixture.index.available = True
    assert fixture.store.get(new.id).state is JobState.ACCEPTED, "nobody has recorded it yet"
    job = fixture.store.record(new.id)
    assert job is not None
    assert fixture.index.get(new.id) == job


def test_a_refused_job_leaves_nothing_behind(fixture: Fixture) -> None:
    for _ in range(5):
        fixture.accepted()
    refused = new_job()
    with pytest.raises(QueueFull):
        fixture.store.create(refused)
    assert not [key for key in fixture.objects.objects if refused.id in key]


def test_a_refused_repetition_leaves_the_promise_of_the_first_call(fixture: Fixture) -> None:
    first = fixture.accepted(IdempotencyKey("k", "d"))
    fixture.wipe()
    for _ in range(5):
        fixture.accepted()
    with pytest.raises(QueueFull):
        fixture.store.create(first)
    assert fixture.store.manifests.find(first.id) is not None
    assert fixture.store.get(first.id).id == first.id


def test_a_repetition_under_the_key_of_another_job_leaves_the_promise_of_the_first_call(fixture: Fixture) -> None:
    first, other = fixture.accepted(), fixture.accepted(IdempotencyKey("k", "d"))
    fixture.wipe()
    fixture.store.create(other, IdempotencyKey("k", "d"))
    assert fixture.store.create(first, IdempotencyKey("k", "d")).job.id == other.id
    assert fixture.store.manifests.find(first.id) is not None


def test_a_redis_that_cannot_be_used_accepts_nothing(fixture: Fixture, monkeypatch: pytest.MonkeyPatch) -> None:
    def unusable(*_: object) -> Any:
        raise JobStoreUnusable("Redis runs in cluster mode.")

    monkeypatch.setattr(fixture.index, "create", unusable)
    with pytest.raises(JobStoreUnusable):
        fixture.accepted()
    assert list(fixture.store.manifests.unrecorded()) == []
    assert fixture.objects.objects == {}


def test_the_job_of_another_request_with_this_key_leaves_no_second_manifest(fixture: Fixture) -> None:
    key = IdempotencyKey("k", "d")
    first = fixture.accepted(key)
    again = new_job()
    created = fixture.store.create(again, key)
    assert (created.job.id, created.replayed) == (first.id, True)
    assert not [name for name in fixture.objects.objects if again.id in name]


def test_a_cancel_of_a_job_that_is_not_recorded_yet_is_a_cancel(fixture: Fixture) -> None:
    fixture.index.available = False
    new = fixture.accepted()
    fixture.index.available = True
    assert fixture.store.cancel(new.id).state is JobState.CANCELLED
    assert fixture.store.record(new.id).state is JobState.CANCELLED  # type: ignore[union-attr]


@pytest.mark.parametrize("state", [JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED])
def test_an_end_that_redis_lost_is_the_end(fixture: Fixture, state: JobState) -> None:
    new = fixture.accepted()
    before = fixture.index.snapshot()
    _, lease = fixture.running(new.id)
    if state is JobState.SUCCEEDED:
        fixture.store.succeed(lease, result())
    elif state is JobState.FAILED:
        fixture.store.fail_attempt(lease, BUSY, GiveUp())
    else:
        fixture.store.cancel(new.id)
    ended = fixture.store.get(new.id)
    fixture.index.roll_back(before)
    assert fixture.store.start_attempt(new.id, "w/2", 30) is None, "an attempt that finds an end does not run"
    assert timeless(fixture.store.get(new.id)) == timeless(ended)
    assert ended.state is state


@pytest.mark.parametrize("purged", [False, True])
def test_a_demoted_primary_that_is_read_starts_no_attempt_on_the_new_one(
    fixture: Fixture, monkeypatch: pytest.MonkeyPatch, purged: bool
) -> None:
    new = fixture.accepted()
    before = fixture.index.snapshot()
    fixture.store.succeed(fixture.running(new.id)[1], result())
    ended = fixture.store.get(new.id)
    if purged:
        fixture.store.remove(ended)
    fixture.index.roll_back(before)  # what the new primary has
    new_primary, old_primary = fixture.index.get, iter([ended])
    with monkeypatch.context() as patch:
        patch.setattr(fixture.index, "get", lambda job_id: next(old_primary, None) or new_primary(job_id))
        assert fixture.store.start_attempt(new.id, "w/2", 30) is None
    assert list(fixture.index.unfinished_ids()) == []


def test_a_wiped_redis_answers_from_the_object_store(fixture: Fixture) -> None:
    waiting, ended, purged = fixture.accepted(), fixture.accepted(), fixture.accepted()
    fixture.store.succeed(fixture.running(ended.id)[1], result())
    fixture.store.cancel(purged.id)
    fixture.store.remove(fixture.store.get(purged.id))
    known = fixture.store.get(ended.id)
    fixture.wipe()
    assert fixture.store.get(waiting.id).state is JobState.ACCEPTED
    assert timeless(fixture.store.get(ended.id)) == timeless(known)
    with pytest.raises(JobPurged):
        fixture.store.get(purged.id)
    with pytest.raises(JobPurged):
        fixture.store.record(purged.id)
    with pytest.raises(JobNotFound):
        fixture.store.get(new_job().id)


def test_nobody_says_not_found_while_the_object_store_is_away(fixture: Fixture) -> None:
    fixture.objects.available = False
    with pytest.raises(JobStoreUnavailable):
        fixture.store.get(new_job().id)


def test_of_a_cancel_and_a_commit_the_first_wins(fixture: Fixture) -> None:
    cancelled, committed = fixture.accepted(), fixture.accepted()
    lease = fixture.running(cancelled.id)[1]
    before = fixture.index.snapshot()
    fixture.store.cancel(cancelled.id)
    fixture.index.roll_back(before)
    with pytest.raises(JobCancelled):
        fixture.store.succeed(lease, result())
    assert fixture.store.get(cancelled.id).state is JobState.CANCELLED
    lease = fixture.running(committed.id)[1]
    before = fixture.index.snapshot()
    fixture.store.succeed(lease, result())
    fixture.index.roll_back(before)
    with pytest.raises(JobAlreadyTerminal):
        fixture.store.cancel(committed.id)
    assert fixture.store.get(committed.id).result == result()


def test_a_last_attempt_that_fails_after_another_has_committed_is_refused(fixture: Fixture) -> None:
    new = fixture.accepted()
    before = fixture.index.snapshot()
    fixture.store.succeed(fixture.running(new.id)[1], result())
    fixture.index.roll_back(before)
    started = fixture.index.start_attempt(new.id, "w/2", 30)
    assert started is not None
    with pytest.raises(LeaseLost):
        fixture.store.fail_attempt(started[1], BUSY, GiveUp())
    assert fixture.store.get(new.id).result == result()


def test_a_job_that_redis_has_forgotten_can_be_deleted(fixture: Fixture) -> None:
    new = fixture.accepted()
    ended = fixture.store.cancel(new.id)
    fixture.wipe()
    fixture.store.condemn(new.id)
    with pytest.raises(JobPurged):
        fixture.store.retry(new.id)
    fixture.store.remove(ended)
    with pytest.raises(JobPurged):
        fixture.index.get(new.id)


def test_two_attempts_with_the_same_token_have_one_result(fixture: Fixture) -> None:
    """Lost writes give a token out twice; the second commit is refused and the first result stays."""
    new = fixture.accepted()
    before = fixture.index.snapshot()
    first = fixture.running(new.id)[1]
    fixture.store.succeed(first, result("first"))
    fixture.index.roll_back(before)
    started = fixture.index.start_attempt(new.id, "w/2", 30)
    assert started is not None
    assert started[1].token == first.token
    with pytest.raises(LeaseLost):
        fixture.store.succeed(started[1], result("second"))
    assert fixture.store.get(new.id).result == result("first")


def test_a_worker_that_died_after_its_end_was_stored_has_ended_the_job(fixture: Fixture) -> None:
    new = fixture.accepted()
    before = fixture.index.snapshot()
    job, lease = fixture.running(new.id)
    during = fixture.index.snapshot()
    fixture.store.succeed(lease, result())
    fixture.index.roll_back(during)
    fixture.index.fail_attempt(lease, replace(LOST, code="engine_error"), RetryIn(0))
    assert fixture.store.start_attempt(new.id, "w/2", 30) is None
    assert fixture.store.get(new.id).result == result()
    assert before
    assert job.token == 1


Loss = Callable[[Fixture, bytes], object]
LOSSES: dict[str, Loss] = {
    "wiped": lambda fixture, _: fixture.wipe(),
    "rolled back": lambda fixture, before: fixture.index.roll_back(before),
    "rolled back, and the job started again": lambda fixture, before: (
        fixture.index.roll_back(before),
        fixture.index.start_attempt(next(fixture.index.unfinished_ids()), "w/2", 30),
    ),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("repeated", [False, True], ids=["at once", "asked again"])
def test_a_commit_stands_once_its_end_is_stored(
    fixture: Fixture, monkeypatch: pytest.MonkeyPatch, loss: str, repeated: bool
) -> None:
    """A worker that is refused removes its result: that of a job that has succeeded would be lost."""
    new = fixture.accepted()
    before = fixture.index.snapshot()
    lease = fixture.running(new.id)[1]
    mine = replace(result(), key=result_key(new.id, lease.nonce))
    end = fixture.store.manifests.end

    def lose_after(job_id: str, run: int, wanted: JobEnd) -> JobEnd:
        winner = end(job_id, run, wanted)
        fixture.index.available = not repeated
        if not repeated:
            LOSSES[loss](fixture, before)
        return winner

    monkeypatch.setattr(fixture.store.manifests, "end", lose_after)
    if repeated:
        with pytest.raises(JobStoreUnavailable):
            fixture.store.succeed(lease, mine)
        fixture.index.available = True
        LOSSES[loss](fixture, before)
    job = fixture.store.succeed(lease, mine)
    assert (job.state, job.result) == (JobState.SUCCEEDED, mine)
    assert fixture.index.get(new.id) == job
    with pytest.raises(LeaseLost):
        fixture.store.succeed(replace(lease, nonce="another"), result("other"))


def test_a_commit_that_was_answered_into_the_void_can_be_repeated(fixture: Fixture) -> None:
    new = fixture.accepted()
    lease = fixture.running(new.id)[1]
    assert fixture.store.succeed(lease, result()) == fixture.store.succeed(lease, result())


def test_a_commit_waits_for_the_object_store_and_changes_nothing(fixture: Fixture) -> None:
    new = fixture.accepted()
    lease = fixture.running(new.id)[1]
    fixture.objects.available = False
    with pytest.raises(ObjectStoreUnavailable):
        fixture.store.succeed(lease, result())
    assert fixture.index.get(new.id).state is JobState.RUNNING
    fixture.objects.available = True
    assert fixture.store.succeed(lease, result()).state is JobState.SUCCEEDED


def test_a_retry_by_hand_has_an_end_of_its_own_and_survives_a_wipe(fixture: Fixture) -> None:
    new = fixture.accepted()
    fixture.store.cancel(new.id)
    cancelled = fixture.index.snapshot()
    assert fixture.store.retry(new.id).run == 1
    lease = fixture.running(new.id)[1]
    fixture.index.roll_back(cancelled)
    assert fixture.store.get(new.id).state is JobState.CANCELLED
    assert fixture.store.follow(fixture.index.get(new.id), fixture.store.manifests.trace(new.id))
    assert fixture.store.get(new.id).state is JobState.QUEUED
    with pytest.raises(LeaseLost):
        fixture.store.succeed(lease, result("lost"))
    fixture.store.succeed(fixture.running(new.id)[1], result())
    fixture.wipe()
    assert fixture.store.get(new.id).result == result()


@pytest.mark.parametrize("state", [JobState.ACCEPTED, JobState.CANCELLED])
@pytest.mark.parametrize("ended", [False, True])
def test_several_retries_that_redis_lost_are_followed(fixture: Fixture, state: JobState, ended: bool) -> None:
    new = fixture.accepted()
    if state is JobState.CANCELLED:
        fixture.store.cancel(new.id)
    before = fixture.index.snapshot()
    for number in range(3):
        if number or state is JobState.ACCEPTED:
            fixture.store.cancel(new.id)
        fixture.store.retry(new.id)
    if ended:
        fixture.store.succeed(fixture.running(new.id)[1], result())
    fixture.index.roll_back(before)
    trace = fixture.store.manifests.trace(new.id)
    assert fixture.store.follow(fixture.index.get(new.id), trace)
    job = fixture.index.get(new.id)
    assert (job.run, job.state) == (3, JobState.SUCCEEDED if ended else JobState.QUEUED)
    assert not fixture.store.follow(job, trace)


def test_a_run_whose_end_is_damaged_goes_on(fixture: Fixture) -> None:
    new = fixture.accepted()
    before = fixture.index.snapshot()
    fixture.store.cancel(new.id)
    fixture.store.retry(new.id)
    damage(fixture, new.id, "end-0.json")
    fixture.index.roll_back(before)
    assert not fixture.store.follow(fixture.index.get(new.id), fixture.store.manifests.trace(new.id))
    assert fixture.index.get(new.id).state is JobState.ACCEPTED


def test_a_retry_in_the_middle_of_a_delete_is_refused(fixture: Fixture) -> None:
    new = fixture.accepted()
    fixture.store.cancel(new.id)
    fixture.store.manifests.condemn(new.id)
    with pytest.raises(JobPurged):
        fixture.store.retry(new.id)


def test_a_purged_job_that_redis_brings_back_is_gone_again(fixture: Fixture) -> None:
    new = fixture.accepted()
    waiting = fixture.index.snapshot()
    fixture.store.cancel(new.id)
    fixture.store.remove(fixture.store.get(new.id))
    fixture.index.roll_back(waiting)
    assert fixture.store.start_attempt(new.id, "w/1", 30) is None
    with pytest.raises(JobPurged):
        fixture.store.get(new.id)


def damage(fixture: Fixture, job_id: str, name: str) -> None:
    """Cut an object short, as a store does that does not flush when its node loses power."""
    (key,) = (key for key in fixture.objects.objects if key.endswith(f"{job_id}/{name}"))
    fixture.objects.objects[key] = fixture.objects.objects[key][:40]


def test_a_job_whose_end_is_damaged_runs_again_and_has_one_end(fixture: Fixture) -> None:
    new = fixture.accepted()
    before = fixture.index.snapshot()
    fixture.store.succeed(fixture.running(new.id)[1], result("lost"))
    damage(fixture, new.id, "end-0.json")
    fixture.index.roll_back(before)
    assert fixture.store.get(new.id).state is JobState.ACCEPTED
    assert not fixture.store.follow(fixture.index.get(new.id), fixture.store.manifests.trace(new.id))
    fixture.store.succeed(fixture.running(new.id)[1], result())
    fixture.wipe()
    assert fixture.store.get(new.id).result == result()


def test_a_job_whose_end_is_damaged_is_restored_as_unfinished(fixture: Fixture) -> None:
    new = fixture.accepted()
    fixture.store.cancel(new.id)
    damage(fixture, new.id, "end-0.json")
    fixture.wipe()
    assert fixture.store.get(new.id).state is JobState.ACCEPTED
    assert fixture.store.restore(fixture.store.manifests.trace(new.id))
    assert fixture.store.cancel(new.id).state is JobState.CANCELLED


def test_a_job_whose_manifest_is_damaged_says_so(fixture: Fixture) -> None:
    new = fixture.accepted()
    damage(fixture, new.id, "manifest.json")
    fixture.wipe()
    with pytest.raises(RecordUnreadable):
        fixture.store.get(new.id)


def test_an_accepted_job_is_found_by_a_store_that_lists_it_late(fixture: Fixture) -> None:
    new = fixture.accepted()
    fixture.wipe()
    fixture.objects.listed_after = 3600.0
    assert fixture.store.get(new.id).state is JobState.ACCEPTED
    assert fixture.store.cancel(new.id).state is JobState.CANCELLED
    with pytest.raises(JobAlreadyTerminal):
        fixture.store.cancel(new.id)


def test_one_of_two_retries_at_once_begins_a_run(fixture: Fixture) -> None:
    """The second has read the job before the first, and comes when the new run has ended already."""
    new = fixture.accepted()
    fixture.store.cancel(new.id)
    begin_run = fixture.store.manifests.begin_run

    def overtaken(job_id: str, run: int) -> None:
        fixture.store.manifests.begin_run = begin_run  # type: ignore[method-assign]
        fixture.store.retry(job_id)
        fixture.store.cancel(job_id)
        begin_run(job_id, run)

    fixture.store.manifests.begin_run = overtaken  # type: ignore[method-assign]
    with pytest.raises(JobNotRetryable):
        fixture.store.retry(new.id)
    assert fixture.store.get(new.id).run == fixture.store.manifests.trace(new.id).run == 1


Act = Callable[[Fixture, str, Lease], object]


@pytest.mark.parametrize(
    "act",
    [
        lambda fixture, job_id, lease: fixture.store.cancel(job_id),
        lambda fixture, job_id, lease: fixture.store.succeed(lease, result()),
        lambda fixture, job_id, lease: fixture.store.fail_attempt(lease, BUSY, GiveUp()),
    ],
    ids=["cancel", "succeed", "fail"],
)
def test_no_end_is_shown_before_it_is_stored(fixture: Fixture, act: Act) -> None:
    new = fixture.accepted()
    lease = fixture.running(new.id)[1]
    fixture.objects.available = False
    with pytest.raises(ObjectStoreUnavailable):
        act(fixture, new.id, lease)
    assert fixture.index.get(new.id).state is JobState.RUNNING


def test_a_reaped_last_attempt_has_failed_even_if_its_worker_comes_back(fixture: Fixture) -> None:
    new = fixture.accepted()
    lease = fixture.running(new.id)[1]  # renewed: the reaping below comes too late for Redis, not for the truth
    assert fixture.store.fail_attempt(lease, LOST, GiveUp()).state is JobState.FAILED
    with pytest.raises(LeaseLost):
        fixture.store.succeed(lease, result())
    with pytest.raises(LeaseLost):
        fixture.store.renew(lease, 30, Phase.STORING, 1.0)
