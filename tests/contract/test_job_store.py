"""Every JobStore keeps these promises: the one on Redis and the one in memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from parley_core.durable_job_store import DurableJobStore
from parley_core.errors import (
    IdempotencyKeyInUse,
    IdempotencyKeyReused,
    InvalidRequest,
    JobAlreadyTerminal,
    JobCancelled,
    JobNotFinished,
    JobNotFound,
    JobNotRetryable,
    JobPurged,
    LeaseLost,
    QueueFull,
    WorkerLost,
)
from parley_core.job import (
    Failure,
    GiveUp,
    IdempotencyKey,
    Job,
    JobOptions,
    JobQuery,
    JobState,
    Lease,
    Phase,
    Queue,
    ResultSummary,
    RetryIn,
    dispatch_of,
)
from parley_core.ports import JobIndex, JobStore
from parley_core.redis import RedisJobStore, transitions
from parley_core.settings import Settings
from parley_core.transcript import Transcription
from tests.support.fakes import MemoryJobStore, MemoryRecordingStore, new_job
from tests.support.valkey import Valkey
from tests.support.waiting import HANG_SECONDS, until

WITHOUT_WORDS = Transcription(error_code="recogniser_refused", error_detail="The recogniser says no.")
RESULT = ResultSummary(
    "results/x/1.json", 2, 5, 12.5, {"name": "onnx"}, {"engine": 1.0}, 2, 1.25, transcription=WITHOUT_WORDS
)
LOST = Failure(WorkerLost.code, "The worker was not heard of.")
BUSY = Failure("object_store_unavailable", "down")


@pytest.fixture(params=["redis", "memory", "durable"])
def make_store(request: pytest.FixtureRequest) -> Callable[..., JobStore]:
    if request.param == "memory":
        return lambda **limits: MemoryJobStore(**limits)
    if request.param == "durable":
        return lambda **limits: DurableJobStore(MemoryJobStore(**limits), MemoryRecordingStore())
    valkey: Valkey = request.getfixturevalue("valkey")

    def make(**limits: int) -> JobStore:
        # A server younger than a lease reaps nobody; this one is as young as the test session.
        return RedisJobStore.from_settings(
            Settings(redis_url=valkey.url, lease_seconds=0.3, lease_renewal_seconds=0.05, **limits)
        )

    return make


@pytest.fixture
def store(make_store: Callable[..., JobStore]) -> JobStore:
    return make_store()


def accepted(store: JobStore, **options: object) -> Job:
    return store.create(new_job(options=JobOptions(**options))).job  # type: ignore[arg-type]


def queued(store: JobStore, **options: object) -> Job:
    job = accepted(store, **options)
    store.mark_queued(dispatch_of(job))
    return store.get(job.id)


def running(store: JobStore, job: Job | None = None, seconds: float = 30) -> tuple[Job, Lease]:
    started = store.start_attempt((job or queued(store)).id, "worker-1", seconds)
    assert started is not None
    return started


def unfinished(store: JobStore, queue: Queue = Queue.INTERACTIVE) -> int:
    return {status.queue: status.unfinished for status in store.queues()}[queue]


def test_a_created_job_is_accepted_unfinished_and_reads_back_whole(store: JobStore) -> None:
    new = new_job(options=JobOptions(reference="consult 7", queue=Queue.BATCH))
    created = store.create(new)
    assert not created.replayed
    job = store.get(new.id)
    assert job == created.job
    assert (job.state, job.recording, job.options, job.limits) == (
        JobState.ACCEPTED,
        new.recording,
        new.options,
        new.limits,
    )
    assert unfinished(store, Queue.BATCH) == 1


def test_an_accepted_job_waits_for_its_turn_in_case_its_publisher_dies(store: JobStore) -> None:
    job, other = accepted(store), accepted(store)
    health = store.health()
    assert (health.due, health.lag_seconds) == (2, 0.0)
    store.cancel(other.id)
    assert [dispatch.job_id for dispatch in store.claim_due(10)] == [job.id]
    assert store.claim_due(10) == []
    store.cancel(job.id)
    assert store.health().due == 0


def test_creating_the_same_id_again_changes_nothing(store: JobStore) -> None:
    new = new_job()
    assert store.create(new).job == replace(store.create(new).job)
    counters = store.stats().counters
    assert store.create(new).replayed
    assert unfinished(store) == 1
    assert store.stats().counters == counters
    assert counters["jobs_accepted|queue=interactive"] == 1


def test_an_idempotency_key_gives_the_same_job_and_refuses_other_content(store: JobStore) -> None:
    key = IdempotencyKey("caller's key", "digest-1")
    first = store.create(new_job(), key).job
    assert store.create(new_job(), key).job.id == first.id
    with pytest.raises(IdempotencyKeyReused):
        store.create(new_job(), IdempotencyKey("caller's key", "digest-2"))
    assert store.create(new_job(tenant="other"), key).job.id != first.id
    assert unfinished(store) == 2


def test_a_reserved_key_is_in_use_for_others_until_released_or_spent(store: JobStore) -> None:
    assert store.reserve_key("t", "k", "me", 30) is None
    assert store.reserve_key("t", "k", "me", 30) is None
    with pytest.raises(IdempotencyKeyInUse):
        store.reserve_key("t", "k", "you", 30)
    store.release_key("t", "k", "you")
    store.release_key("t", "k", "me")
    assert store.reserve_key("t", "k", "you", 30) is None
    job = store.create(new_job(tenant="t"), IdempotencyKey("k", "digest")).job
    assert store.reserve_key("t", "k", "me", 30) == job.id


def test_a_reservation_ends_by_itself(store: JobStore) -> None:
    store.reserve_key("t", "k", "a request that died", 0.05)
    time.sleep(0.1)
    assert store.reserve_key("t", "k", "me", 30) is None


def test_a_full_queue_refuses_and_the_other_does_not(make_store: Callable[..., JobStore]) -> None:
    store = make_store(queue_limit=1)
    accepted(store)
    with pytest.raises(QueueFull):
        accepted(store)
    accepted(store, queue=Queue.BATCH)


def test_unknown_and_purged_jobs_say_so(store: JobStore) -> None:
    with pytest.raises(JobNotFound):
        store.get(str(uuid4()))
    job, lease = running(store)
    for call in (store.purge, store.condemn):
        with pytest.raises(JobNotFinished):
            call(job.id)
        with pytest.raises(JobNotFound):
            call(str(uuid4()))
    store.succeed(lease, RESULT)
    store.purge(job.id)
    for call in (store.get, store.cancel, store.retry, store.condemn, store.purge):
        with pytest.raises(JobPurged):
            call(job.id)
    assert store.page(JobQuery(job.tenant)).jobs == ()


def test_a_purged_job_is_not_created_again(store: JobStore) -> None:
    new = new_job()
    store.create(new)
    store.cancel(new.id)
    store.purge(new.id)
    for accepted_at in (None, datetime.now(UTC)):
        with pytest.raises(JobPurged):
            store.create(new, IdempotencyKey("key", "digest"), accepted_at)
    assert unfinished(store) == 0
    assert not store.create(new_job(), IdempotencyKey("key", "other digest")).replayed


def test_a_condemned_job_cannot_run_again_and_its_purge_can_be_completed(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transitions, "PURGE_CLAIM_MS", 5)
    _, lease = running(store)
    job = store.fail_attempt(lease, BUSY, GiveUp())
    for _ in range(2):
        store.condemn(job.id)
    with pytest.raises(JobPurged):
        store.retry(job.id)
    assert store.get(job.id) == job
    time.sleep(0.01)
    assert list(store.claim_expired(10)) == [job], "the purge was broken off"
    store.purge(job.id)
    with pytest.raises(JobPurged):
        store.get(job.id)


def test_a_job_recorded_late_keeps_its_place_before_newer_ones(store: JobStore) -> None:
    newer = accepted(store)
    earlier = newer.created_at - timedelta(minutes=10)
    late = store.create(new_job(), accepted_at=earlier).job
    assert (late.created_at, late.position) == (earlier, 0)
    assert store.get(newer.id).position == 1
    assert store.create(new_job(), accepted_at=datetime.now(UTC) + timedelta(hours=1)).job.position == 2
    (interactive, _) = store.queues()
    assert interactive.oldest_seconds is not None
    assert interactive.oldest_seconds >= 600


def test_a_promised_job_is_let_into_a_full_queue(make_store: Callable[..., JobStore]) -> None:
    store = make_store(queue_limit=1)
    accepted(store)
    assert store.create(new_job(), accepted_at=datetime.now(UTC)).job.state is JobState.ACCEPTED
    with pytest.raises(QueueFull):
        accepted(store)


def test_a_start_counts_the_attempt_and_raises_the_token(store: JobStore) -> None:
    job, lease = running(store)
    assert (job.state, job.phase, job.token) == (JobState.RUNNING, Phase.DECODING, 1)
    assert lease == Lease(job.id, job.token, job.nonce)
    assert [(a.number, a.worker, a.ended_at) for a in job.attempts] == [(1, "worker-1", None)]
    assert store.running_by_worker() == {"worker-1": 1}


def test_a_second_start_of_the_same_message_gets_nothing(store: JobStore) -> None:
    job, _ = running(store)
    assert store.start_attempt(job.id, "worker-2", 30) is None
    assert len(store.get(job.id).attempts) == 1


def test_a_job_may_start_before_its_publisher_says_queued(store: JobStore) -> None:
    job = accepted(store)
    running(store, job)
    store.mark_queued(dispatch_of(job))
    assert store.get(job.id).state is JobState.RUNNING


def test_success_is_committed_once_and_can_be_asked_again(store: JobStore) -> None:
    _, lease = running(store)
    done = store.succeed(lease, RESULT)
    assert (done.state, done.result, done.progress, done.phase) == (JobState.SUCCEEDED, RESULT, 1.0, None)
    assert done.attempts[0].ended_at and done.finished_at and not done.attempts[0].error
    assert store.succeed(lease, RESULT) == done
    with pytest.raises(LeaseLost):
        store.succeed(lease, replace(RESULT, turns=9))
    assert unfinished(store) == 0
    counters = store.stats().counters
    assert counters["jobs_succeeded|queue=interactive"] == 1


def test_a_stale_attempt_can_neither_renew_nor_commit_nor_fail(store: JobStore) -> None:
    job, stale = running(store, seconds=0.05)
    time.sleep(0.1)
    store.fail_attempt(stale, LOST, RetryIn(0))
    _, fresh = running(store, job)
    before = store.get(job.id)
    for call in (
        lambda: store.renew(stale, 30, Phase.EMBEDDING, 0.5),
        lambda: store.succeed(stale, RESULT),
        lambda: store.fail_attempt(replace(stale, nonce="unknown"), BUSY, GiveUp()),
    ):
        with pytest.raises(LeaseLost):
            call()
        assert store.get(job.id) == before
    assert store.succeed(fresh, RESULT).attempts[0].error == LOST
    assert store.stats().counters["commits_refused|queue=interactive"] == 1


def test_a_stale_attempt_ends_none_that_waits_for_its_next(store: JobStore) -> None:
    job, stale = running(store)
    store.fail_attempt(stale, BUSY, RetryIn(0))
    _, fresh = running(store, job)
    store.fail_attempt(fresh, BUSY, RetryIn(0))
    for call in (lambda: store.fail_attempt(stale, BUSY, RetryIn(0)), lambda: store.give_back(stale)):
        with pytest.raises(LeaseLost):
            call()
    assert store.fail_attempt(fresh, BUSY, RetryIn(0)).state is JobState.QUEUED, "asked again, it is no error"


def test_the_token_alone_gives_no_right_to_a_job(store: JobStore) -> None:
    """A store that has lost its newest writes gives the same token to two attempts."""
    _, lease = running(store)
    twin = replace(lease, nonce="of-a-lost-attempt")
    for call in (
        lambda: store.renew(twin, 30, Phase.EMBEDDING, 0.5),
        lambda: store.succeed(twin, RESULT),
        lambda: store.fail_attempt(twin, BUSY, GiveUp()),
        lambda: store.give_back(twin),
    ):
        with pytest.raises(LeaseLost):
            call()
    assert store.succeed(lease, RESULT).state is JobState.SUCCEEDED
    with pytest.raises(LeaseLost):
        store.succeed(twin, RESULT)
    with pytest.raises(LeaseLost):
        store.fail_attempt(twin, BUSY, GiveUp())


def test_a_cancelled_attempt_hears_so_and_its_twin_does_not(store: JobStore) -> None:
    job, lease = running(store)
    store.cancel(job.id)
    with pytest.raises(JobCancelled):
        store.renew(lease, 30, None, 0)
    with pytest.raises(LeaseLost):
        store.renew(replace(lease, nonce="of-a-lost-attempt"), 30, None, 0)


def test_renewing_writes_progress_and_keeps_the_lease(store: JobStore) -> None:
    job, lease = running(store, seconds=0.05)
    store.renew(lease, 30, Phase.EMBEDDING, 0.25)
    time.sleep(0.1)
    seen = store.get(job.id)
    assert (seen.phase, seen.progress) == (Phase.EMBEDDING, 0.25)
    assert store.lapsed_leases(10) == []


def test_progress_never_shrinks_during_an_attempt(store: JobStore) -> None:
    job, lease = running(store)
    store.renew(lease, 30, Phase.EMBEDDING, 0.625)
    store.renew(lease, 30, Phase.CLUSTERING, 0.1)
    seen = store.get(job.id)
    assert (seen.phase, seen.progress) == (Phase.CLUSTERING, 0.625)
    events = store.events(job.id)
    store.renew(lease, 30, Phase.CLUSTERING, 0.5)
    assert store.events(job.id) == events, "nothing has changed"
    assert [event.progress for event in events if event.state is JobState.RUNNING] == [0.0, 0.625, 0.625]


def test_progress_begins_again_with_the_next_attempt(store: JobStore) -> None:
    job, lease = running(store)
    store.renew(lease, 30, Phase.EMBEDDING, 0.75)
    assert store.fail_attempt(lease, BUSY, RetryIn(0)).progress == 0.0
    again, fresh = running(store, job)
    assert again.progress == 0.0
    store.renew(fresh, 30, Phase.SEGMENTATION, 0.25)
    assert store.get(job.id).progress == 0.25


def test_reaping_is_refused_when_the_worker_is_back(store: JobStore) -> None:
    job, lease = running(store, seconds=30)
    with pytest.raises(LeaseLost):
        store.fail_attempt(lease, LOST, RetryIn(0))
    assert store.get(job.id).state is JobState.RUNNING


def test_a_lapsed_lease_is_found_with_what_the_reaper_needs(store: JobStore) -> None:
    time.sleep(0.4)  # longer than the lease of these settings: see make_store
    _, lease = running(store, seconds=0.05)
    lapsed = until(lambda: store.lapsed_leases(10))
    assert [(found.lease, found.attempt_number, found.worker) for found in lapsed] == [(lease, 1, "worker-1")]
    assert store.fail_attempt(lapsed[0].lease, LOST, RetryIn(0)).state is JobState.QUEUED
    assert store.lapsed_leases(10) == []


def test_a_retry_waits_for_its_time_even_if_a_message_comes_early(store: JobStore) -> None:
    job, lease = running(store)
    waiting = store.fail_attempt(lease, BUSY, RetryIn(0.3))
    assert (waiting.state, waiting.phase, waiting.attempts[0].error) == (JobState.QUEUED, None, BUSY)
    assert store.start_attempt(job.id, "worker-1", 30) is None
    assert store.claim_due(10) == []
    time.sleep(0.35)
    (dispatch,) = store.claim_due(10)
    assert (dispatch.job_id, dispatch.token) == (job.id, 1)
    again, _ = running(store, job)  # also before the publisher says so
    assert [a.number for a in again.attempts] == [1, 2]


def test_a_late_word_of_publishing_does_not_silence_a_retry(store: JobStore) -> None:
    job = accepted(store)
    _, lease = running(store, job)
    store.fail_attempt(lease, BUSY, RetryIn(0))
    store.mark_queued(dispatch_of(job))  # the API that accepted it was frozen meanwhile
    assert [d.job_id for d in store.claim_due(10)] == [job.id]


def test_a_job_given_back_is_due_at_once_and_the_attempt_does_not_count(store: JobStore) -> None:
    job, lease = running(store)
    store.renew(lease, 30, Phase.EMBEDDING, 0.5)
    store.give_back(lease)
    waiting = store.get(job.id)
    assert (waiting.state, waiting.attempts, waiting.progress, waiting.phase) == (JobState.QUEUED, (), 0.0, None)
    assert [due.job_id for due in store.claim_due(10)] == [job.id]
    assert store.running_by_worker() == {}
    again, _ = running(store, job)
    assert [attempt.number for attempt in again.attempts] == [1]
    assert (again.token, again.started_at) == (2, job.started_at)


def test_giving_back_leaves_the_attempts_before_it(store: JobStore) -> None:
    job, first = running(store)
    store.fail_attempt(first, BUSY, RetryIn(0))
    _, second = running(store, job)
    store.give_back(second)
    assert [(attempt.number, attempt.error) for attempt in store.get(job.id).attempts] == [(1, BUSY)]


def test_giving_back_twice_is_giving_back_once(store: JobStore) -> None:
    _, lease = running(store)
    store.give_back(lease)
    store.give_back(lease)
    assert store.stats().counters["attempts_given_back|queue=interactive"] == 1


def test_a_cancelled_job_is_not_given_back(store: JobStore) -> None:
    job, lease = running(store)
    store.cancel(job.id)
    with pytest.raises(JobCancelled):
        store.give_back(lease)
    assert store.get(job.id).state is JobState.CANCELLED


def test_failing_for_good_keeps_the_reason(store: JobStore) -> None:
    _, lease = running(store)
    failed = store.fail_attempt(lease, BUSY, GiveUp())
    assert (failed.state, failed.error, failed.attempts[0].error) == (JobState.FAILED, BUSY, BUSY)
    assert store.fail_attempt(lease, BUSY, GiveUp()) == failed
    assert unfinished(store) == 0
    counters = store.stats().counters
    assert counters["jobs_failed|code=object_store_unavailable|queue=interactive"] == 1
    assert counters["attempts_failed|code=object_store_unavailable|queue=interactive"] == 1


@pytest.mark.parametrize("make", [accepted, queued])
def test_cancelling_a_waiting_job_ends_it_and_no_message_starts_it(
    store: JobStore, make: Callable[[JobStore], Job]
) -> None:
    job = make(store)
    assert store.cancel(job.id).state is JobState.CANCELLED
    assert store.start_attempt(job.id, "worker-1", 30) is None
    assert store.claim_due(10) == []
    with pytest.raises(JobAlreadyTerminal):
        store.cancel(job.id)


def test_a_running_job_that_is_cancelled_never_succeeds(store: JobStore) -> None:
    job, lease = running(store)
    assert store.cancel(job.id).attempts[0].error == Failure("job_cancelled", "Cancelled while it ran.")
    for call in (lambda: store.renew(lease, 30, None, 0), lambda: store.succeed(lease, RESULT)):
        with pytest.raises(JobCancelled):
            call()
    assert store.get(job.id).state is JobState.CANCELLED
    assert unfinished(store) == 0


def test_retry_by_hand_runs_the_job_again_with_a_new_list_of_attempts(store: JobStore) -> None:
    job, lease = running(store)
    with pytest.raises(JobNotRetryable):
        store.retry(job.id)
    store.fail_attempt(lease, BUSY, GiveUp())
    again = store.retry(job.id)
    assert (again.state, again.attempts, again.error, again.finished_at) == (JobState.QUEUED, (), None, None)
    assert [d.job_id for d in store.claim_due(10)] == [job.id]
    started, fresh = running(store, again)
    assert (fresh.token, started.attempts[0].number) == (2, 1)
    store.succeed(fresh, RESULT)
    with pytest.raises(JobNotRetryable):
        store.retry(job.id)


def test_a_due_job_is_claimed_by_one_keeper_only(store: JobStore) -> None:
    _, lease = running(store)
    store.fail_attempt(lease, BUSY, RetryIn(0))
    assert len(store.claim_due(10)) == 1
    assert store.claim_due(10) == []


def test_publishing_ends_the_due_time_and_keeps_the_state_honest(store: JobStore) -> None:
    job = queued(store)
    assert (job.state, job.position) == (JobState.QUEUED, 0)
    assert queued(store).position == 1
    assert store.health().due == 0


def test_a_published_job_whose_message_is_gone_is_found(store: JobStore) -> None:
    job = queued(store)
    assert store.republish_lost({Queue.INTERACTIVE: 0}, 60) == []
    time.sleep(0.01)
    assert store.republish_lost({Queue.INTERACTIVE: 1}, 0) == []  # it may be that message
    assert store.republish_lost({Queue.INTERACTIVE: 0}, 0) == [job.id]
    assert [d.job_id for d in store.claim_due(10)] == [job.id]
    assert store.republish_lost({Queue.INTERACTIVE: 0}, 0) == []


def test_a_job_overtaken_by_younger_ones_is_found_though_messages_wait(store: JobStore) -> None:
    lost = queued(store)
    time.sleep(0.02)
    running(store, queued(store))
    assert store.republish_lost({Queue.INTERACTIVE: 5}, 0.005) == [lost.id]


def test_pages_are_newest_first_and_new_jobs_do_not_shift_them(store: JobStore) -> None:
    made = []
    for _ in range(5):
        made.append(accepted(store).id)
        time.sleep(0.002)
    first = store.page(JobQuery("default", limit=2))
    accepted(store)
    second = store.page(JobQuery("default", limit=2, cursor=first.next_cursor))
    third = store.page(JobQuery("default", limit=2, cursor=second.next_cursor))
    seen = [job.id for page in (first, second, third) for job in page.jobs]
    assert seen == made[::-1]
    assert third.next_cursor is None


def all_pages(store: JobStore, query: JobQuery) -> list[str]:
    seen: list[str] = []
    while True:
        page = store.page(query)
        assert len(page.jobs) <= query.limit
        seen += [job.id for job in page.jobs]
        if page.next_cursor is None:
            return seen
        query = replace(query, cursor=page.next_cursor)


@pytest.mark.parametrize("reference", [None, "r"])
def test_pages_hold_every_job_once_also_of_the_same_millisecond(store: JobStore, reference: str | None) -> None:
    """More jobs than one batch, some of the same time, in all states and both queues."""
    made = datetime.now(UTC) - timedelta(hours=1)
    jobs = []
    for number in range(230):
        options = JobOptions(queue=list(Queue)[number % 2], reference="r")
        moment = made + timedelta(milliseconds=number // 7)
        jobs.append(store.create(new_job(options=options), accepted_at=moment).job)
    for job in jobs[::3]:
        store.cancel(job.id)
    for job in jobs[1::3]:
        store.mark_queued(dispatch_of(job))
    newest_first = [job.id for job in sorted(jobs, key=lambda job: job.id, reverse=True)]
    for limit in (1, 50, 230):
        assert all_pages(store, JobQuery("default", reference=reference, limit=limit)) == newest_first
    cancelled = {job.id for job in jobs[::3]}
    query = JobQuery("default", JobState.CANCELLED, reference, limit=7)
    assert all_pages(store, query) == [job_id for job_id in newest_first if job_id in cancelled]
    page = store.page(JobQuery("default", JobState.QUEUED, reference, limit=1))
    assert page.jobs == (store.get(page.jobs[0].id),)


def test_a_page_of_one_reference_holds_no_other(store: JobStore) -> None:
    wanted = [accepted(store, reference="consult:7").id, accepted(store, reference="consult:7").id]
    accepted(store, reference="consult:77")
    accepted(store)
    assert sorted(all_pages(store, JobQuery("default", reference="consult:7", limit=1))) == sorted(wanted)
    assert store.page(JobQuery("default", reference="consult")).jobs == ()
    store.cancel(wanted[0])
    store.purge(wanted[0])
    assert all_pages(store, JobQuery("default", reference="consult:7")) == wanted[1:]


def test_pages_filter_by_state_reference_queue_and_tenant(store: JobStore) -> None:
    wanted = accepted(store, reference="r", queue=Queue.BATCH)
    accepted(store)
    store.create(new_job(tenant="other", options=JobOptions(reference="r", queue=Queue.BATCH)))
    query = JobQuery("default", JobState.ACCEPTED, "r", Queue.BATCH)
    assert [job.id for job in store.page(query).jobs] == [wanted.id]
    assert store.page(replace(query, state=JobState.FAILED)).jobs == ()


def test_pages_filter_by_the_beginning_of_the_id(store: JobStore) -> None:
    ids = [accepted(store).id for _ in range(5)]
    accepted(store, reference="another")
    for job_id in ids:
        assert [job.id for job in store.page(JobQuery("default", id_prefix=job_id[:24])).jobs] == [job_id]
    assert store.page(JobQuery("other", id_prefix=ids[0])).jobs == ()
    assert store.page(JobQuery("default", reference="another", id_prefix=ids[0])).jobs == ()
    seen, cursor = [], None
    while cursor is not None or not seen:
        page = store.page(JobQuery("default", id_prefix=ids[0][:5], limit=2, cursor=cursor))
        seen += [job.id for job in page.jobs]
        cursor = page.next_cursor
    assert set(ids) < set(seen)
    assert len(seen) == 6


@pytest.mark.parametrize("cursor", ["", "x", "1", ":", "-1:a"])
def test_a_cursor_that_is_not_ours_is_refused(store: JobStore, cursor: str) -> None:
    with pytest.raises(InvalidRequest):
        store.page(JobQuery("default", cursor=cursor))


def test_events_tell_the_life_of_a_job_and_resume(store: JobStore) -> None:
    job, lease = running(store)
    store.renew(lease, 30, Phase.EMBEDDING, 0.5)
    events = store.events(job.id)
    assert [event.state for event in events] == [
        JobState.ACCEPTED,
        JobState.QUEUED,
        JobState.RUNNING,
        JobState.RUNNING,
    ]
    assert (events[3].phase, events[3].progress) == (Phase.EMBEDDING, 0.5)
    assert events[1].phase is None
    assert store.events(job.id, events[2].id) == events[3:]
    assert store.events(new_job().id) == []


def test_of_a_finished_job_the_end_is_kept_as_its_last_event(store: JobStore) -> None:
    job, lease = running(store)
    before = store.events(job.id)
    done = store.fail_attempt(lease, BUSY, GiveUp())
    (end,) = store.events(job.id)
    assert (end.state, end.phase, end.at) == (JobState.FAILED, None, done.finished_at)
    assert list(store.events(job.id, before[-1].id)) == [end]
    assert list(store.events(job.id, end.id)) == []
    store.retry(job.id)
    (again,) = store.events(job.id, end.id)
    assert again.state is JobState.QUEUED


def test_events_begin_again_for_a_reader_who_saw_more_than_there_are(store: JobStore) -> None:
    """The record was restored and counts again: the reader must not wait for as many events as were lost."""
    job = accepted(store)
    assert store.events(job.id, "1000-0") == store.events(job.id)


def test_retention_ends_by_option_then_by_default(make_store: Callable[..., JobStore]) -> None:
    store = make_store(retain_seconds=1000)
    for retain in (None, 0):
        _, lease = running(store, queued(store, retain_seconds=retain))
        store.succeed(lease, RESULT)
    time.sleep(0.005)
    assert [job.options.retain_seconds for job in store.claim_expired(10)] == [0]


def test_a_recording_goes_before_the_rest_and_takes_its_retry_with_it(index: JobIndex) -> None:
    kept, lease = running(index, queued(index))
    index.succeed(lease, RESULT)
    job = index.cancel(accepted(index, retain_audio_seconds=0).id)
    later = index.cancel(accepted(index, retain_audio_seconds=600).id)
    time.sleep(0.005)
    assert [one.id for one in index.claim_recordings(10)] == [job.id]
    assert list(index.claim_recordings(10)) == [], "claimed by one keeper"
    time.sleep(0.005)
    assert 0.004 < index.health().retention_lag_seconds < HANG_SECONDS
    before = index.tenant_load(job.tenant).stored_bytes
    for _ in range(2):
        index.note_recording_removed(job.id)
    assert index.tenant_load(job.tenant).stored_bytes == before - job.recording.bytes
    assert index.health().retention_lag_seconds == 0
    assert index.get(job.id).recording_removed
    with pytest.raises(JobNotRetryable, match="recording"):
        index.retry(job.id)
    assert index.retry(later.id).state is JobState.QUEUED, "its recording waits for the next end"
    for one in (job.id, kept.id):
        index.condemn(one)
        index.purge(one)
    index.note_recording_removed(job.id)
    assert index.tenant_load(job.tenant).stored_bytes == later.recording.bytes
    assert index.stats().counters["stored_recording_bytes|queue=interactive"] == later.recording.bytes


def test_an_expired_job_is_claimed_by_one_keeper_only(store: JobStore) -> None:
    job = store.cancel(accepted(store, retain_seconds=0).id)
    time.sleep(0.005)
    assert [expired.id for expired in store.claim_expired(10)] == [job.id]
    assert list(store.claim_expired(10)) == []


def test_the_queue_knows_its_oldest_job(store: JobStore) -> None:
    running(store)
    time.sleep(0.05)
    interactive, batch = store.queues()
    assert (interactive.unfinished, interactive.running, batch.oldest_seconds) == (1, 1, None)
    assert interactive.oldest_seconds is not None
    assert 0.04 < interactive.oldest_seconds < HANG_SECONDS


def seen_workers(store: JobStore) -> list[tuple[int, int]]:
    return [(status.workers, status.capacity) for status in store.queues()]


def test_the_queue_knows_who_serves_it(store: JobStore) -> None:
    assert seen_workers(store) == [(0, 0), (0, 0)]
    for _ in range(2):  # said again, it is still one worker
        store.register_worker("a", Queue.INTERACTIVE, 2, 60)
    store.register_worker("b", Queue.INTERACTIVE, 3, 60)
    store.register_worker("b", Queue.BATCH, 3, 60)
    assert seen_workers(store) == [(2, 5), (1, 3)]
    store.register_worker("b", Queue.INTERACTIVE, 3, 0)
    assert seen_workers(store) == [(1, 2), (1, 3)]


def test_a_worker_that_falls_silent_is_soon_not_counted(store: JobStore) -> None:
    store.register_worker("a", Queue.BATCH, 2, 0.05)
    time.sleep(0.06)
    assert seen_workers(store) == [(0, 0), (0, 0)]


def test_outlines_have_the_jobs_that_have_a_record(index: JobIndex) -> None:
    first = index.create(new_job(options=JobOptions(reference="visit"))).job.id
    second = index.create(new_job()).job.id
    index.start_attempt(second, "worker/1", 30)
    found = index.outlines([first, str(uuid4()), second])
    assert found == {first: (JobState.ACCEPTED, "visit"), second: (JobState.RUNNING, None)}
