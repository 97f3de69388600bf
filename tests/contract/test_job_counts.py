"""What the transitions count, in both job stores: every metric of jobs comes from here."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from parley_core.errors import JobPurged
from parley_core.job import (
    Attempt,
    Failure,
    GiveUp,
    Job,
    JobEnd,
    JobOptions,
    JobState,
    Lease,
    NewJob,
    Queue,
    ResultSummary,
    RetryIn,
)
from parley_core.job_id import new_id
from parley_core.ports import JobIndex
from parley_core.redis import RedisJobStore
from parley_core.settings import Settings
from parley_core.tenants import TenantLoad
from parley_core.transcript import Transcription
from tests.support.fakes import MemoryJobStore, new_job
from tests.support.fakes.metrics import TENANTS_COUNTED
from tests.support.valkey import Valkey

TIMINGS = {"decoding": 0.2, "engine": 4.0, "engine_cpu": 7.5}
TRANSCRIPTION = Transcription(words=9, audio_seconds=60.0)
RESULT = ResultSummary("results/x/1.json", 2, 5, 12.5, {"name": "onnx"}, TIMINGS, transcription=TRANSCRIPTION)
BUSY = Failure("object_store_unavailable", "down")
TOLERANCE_MS = 30_000  # of a slow machine; the times of the tests are further apart


@pytest.fixture(params=["redis", "memory"])
def store(request: pytest.FixtureRequest) -> JobIndex:
    if request.param == "memory":
        return MemoryJobStore()
    valkey: Valkey = request.getfixturevalue("valkey")
    return RedisJobStore.from_settings(Settings(redis_url=valkey.url))


class Counts:
    """The counters of a store, by name."""

    def __init__(self, store: JobIndex) -> None:
        self._counters = store.stats().counters

    def __getitem__(self, name: str) -> int:
        return self._counters.get(name, 0)

    def histogram(self, what: str, queue: Queue = Queue.INTERACTIVE) -> tuple[dict[str, int], int]:
        """Return the samples by bucket, and their sum in thousandths."""
        begin, end = f"{what}_bucket|le=", f"|queue={queue}"
        names = [name for name in self._counters if name.startswith(begin) and name.endswith(end)]
        buckets = {name.removeprefix(begin).removesuffix(end): self[name] for name in names}
        return buckets, self[f"{what}_sum_ms|queue={queue}"]


def job_of_age(store: JobIndex, seconds: float, new: NewJob | None = None) -> Job:
    return store.create(new or new_job(), accepted_at=datetime.now(UTC) - timedelta(seconds=seconds)).job


def start(store: JobIndex, job: Job) -> Lease:
    started = store.start_attempt(job.id, "worker-1", 30)
    assert started is not None
    return started[1]


def test_a_result_is_one_sample_of_each_time_that_it_took(store: JobIndex) -> None:
    job = job_of_age(store, 2400)
    lease = start(store, job)
    for _ in range(2):  # the second asks again after a lost reply
        store.succeed(lease, RESULT)
    counts = Counts(store)
    for what, bucket, milliseconds in (
        ("wait_seconds", "7200", 2_400_000),
        ("result_seconds", "3600", 2_400_000),
        ("run_seconds", None, 0),
        ("result_audio_ratio", "50", 40_000),
    ):
        buckets, total = counts.histogram(what)
        assert list(buckets.values()) == [1], what
        assert bucket is None or list(buckets) == [bucket], what
        assert milliseconds <= total < milliseconds + TOLERANCE_MS, what
    assert counts.histogram("decode_seconds") == ({"0.25": 1}, 200)
    assert counts.histogram("engine_seconds") == ({"5": 1}, 4_000)
    assert counts["engine_cpu_ms|queue=interactive"] == 7_500
    assert counts["audio_ms|queue=interactive"] == 60_000
    assert counts.histogram("result_seconds", Queue.BATCH) == ({}, 0)


def test_a_sample_on_a_bound_is_in_the_bucket_of_the_bound(store: JobIndex) -> None:
    timings = {"decoding": 0.05, "engine": 7200.001, "engine_cpu": 0.0}
    store.succeed(start(store, job_of_age(store, 0)), replace(RESULT, timings=timings))
    counts = Counts(store)
    assert counts.histogram("decode_seconds") == ({"0.05": 1}, 50)
    assert counts.histogram("engine_seconds") == ({"+Inf": 1}, 7_200_001)


def test_a_result_without_times_of_its_phases_counts_the_others(store: JobIndex) -> None:
    store.succeed(start(store, job_of_age(store, 0)), replace(RESULT, timings={}))
    counts = Counts(store)
    assert counts.histogram("decode_seconds") == counts.histogram("engine_seconds") == ({}, 0)
    assert counts["audio_ms|queue=interactive"] == 60_000


def test_every_end_is_one_sample_of_attempts(store: JobIndex) -> None:
    retried = job_of_age(store, 0)
    store.fail_attempt(start(store, retried), BUSY, RetryIn(0))
    store.succeed(start(store, retried), RESULT)
    store.fail_attempt(start(store, job_of_age(store, 0)), BUSY, GiveUp())
    store.cancel(job_of_age(store, 0).id)
    counts = Counts(store)
    assert counts.histogram("job_attempts") == ({"2": 1, "1": 1, "0": 1}, 3_000)
    assert counts["attempts_started|queue=interactive"] == 3
    assert sum(counts.histogram("result_seconds")[0].values()) == 1


@pytest.mark.parametrize("result", [RESULT, None])
def test_a_restored_end_is_counted_as_the_end_was(store: JobIndex, result: ResultSummary | None) -> None:
    accepted = datetime(2026, 1, 1, tzinfo=UTC)
    started, ended = accepted + timedelta(seconds=50), accepted + timedelta(seconds=400)
    attempts = (Attempt(1, "w", started, started, BUSY), Attempt(2, "w", accepted + timedelta(seconds=100), ended))
    state = JobState.SUCCEEDED if result else JobState.CANCELLED
    assert store.restore(new_job(), accepted, 0, JobEnd(state, ended, started, 2, attempts, None, result))
    counts = Counts(store)
    assert counts.histogram("job_attempts") == ({"2": 1}, 2_000)
    assert counts.histogram("result_seconds") == (({"600": 1}, 400_000) if result else ({}, 0))
    assert counts.histogram("run_seconds") == (({"300": 1}, 300_000) if result else ({}, 0))
    assert counts["tenant_unfinished|tenant=default"] == 0
    assert counts["stored_recording_bytes|queue=interactive"] == 1_000


def test_an_end_without_attempts_counts_what_it_has(store: JobIndex) -> None:
    accepted = datetime(2026, 1, 1, tzinfo=UTC)
    end = JobEnd(JobState.SUCCEEDED, accepted + timedelta(seconds=400), accepted, 2, (), None, RESULT)
    assert store.restore(new_job(), accepted, 0, end)
    assert Counts(store).histogram("run_seconds") == ({}, 0)
    assert Counts(store).histogram("job_attempts") == ({"0": 1}, 0)


def test_the_wait_counts_once_and_a_retry_by_hand_begins_a_new_one(store: JobIndex) -> None:
    job = job_of_age(store, 500)
    store.fail_attempt(start(store, job), BUSY, RetryIn(0))
    store.fail_attempt(start(store, job), BUSY, GiveUp())
    assert sum(Counts(store).histogram("wait_seconds")[0].values()) == 1
    store.retry(job.id)
    store.succeed(start(store, job), RESULT)
    counts = Counts(store)
    assert sum(counts.histogram("wait_seconds")[0].values()) == 2
    assert counts.histogram("result_seconds")[1] < TOLERANCE_MS
    assert counts.histogram("job_attempts") == ({"2": 1, "1": 1}, 3_000)


def test_a_cancel_is_measured_until_its_attempt_has_stopped(store: JobIndex) -> None:
    job = job_of_age(store, 0)
    lease = start(store, job)
    store.note_stopped(job.id, lease.nonce)  # not cancelled
    store.cancel(job.id)
    store.note_stopped(job.id, "of another attempt")
    assert Counts(store).histogram("cancel_seconds") == ({}, 0)
    time.sleep(0.02)
    for _ in range(2):
        store.note_stopped(job.id, lease.nonce)
    buckets, total = Counts(store).histogram("cancel_seconds")
    assert sum(buckets.values()) == 1
    assert 20 <= total < TOLERANCE_MS
    store.retry(job.id)
    lease = start(store, job)
    store.cancel(job.id)
    store.note_stopped(job.id, lease.nonce)
    assert sum(Counts(store).histogram("cancel_seconds")[0].values()) == 2


def test_stored_bytes_are_those_of_jobs_that_have_not_been_purged(store: JobIndex) -> None:
    jobs = [job_of_age(store, 0) for _ in range(3)]
    store.create(new_job(jobs[0].id))
    assert Counts(store)["stored_recording_bytes|queue=interactive"] == 3_000
    store.cancel(jobs[0].id)
    store.purge(jobs[0].id)
    assert Counts(store)["stored_recording_bytes|queue=interactive"] == 2_000


def test_unfinished_jobs_of_a_tenant_are_those_accepted_or_retried_and_not_ended(store: JobIndex) -> None:
    jobs = [job_of_age(store, 0, new_job(tenant="clinic")) for _ in range(3)]
    store.cancel(jobs[0].id)
    store.succeed(start(store, jobs[1]), RESULT)
    counts = Counts(store)
    assert counts["tenant_jobs_accepted|tenant=clinic"] == 3
    assert counts["tenant_jobs_ended|tenant=clinic"] == 2
    assert counts["tenant_unfinished|tenant=clinic"] == 1
    store.retry(jobs[0].id)
    counts = Counts(store)
    assert counts["tenant_unfinished|tenant=clinic"] == 2
    assert counts["tenant_jobs_accepted|tenant=clinic"] == 3


def test_the_load_of_a_tenant_is_what_it_has_of_unfinished_jobs_and_stored_recordings(store: JobIndex) -> None:
    jobs = [job_of_age(store, 0, new_job(tenant="clinic")) for _ in range(4)]
    job_of_age(store, 0, new_job(tenant="practice"))
    start(store, jobs[0])
    store.succeed(start(store, jobs[1]), RESULT)
    store.cancel(jobs[2].id)
    assert store.tenant_load("clinic") == TenantLoad(2, 4_000)
    store.purge(jobs[2].id)
    assert store.tenant_load("clinic") == TenantLoad(2, 3_000)
    assert store.tenant_load("practice") == TenantLoad(1, 1_000)
    assert store.tenant_load("nobody") == TenantLoad(0, 0)


def test_the_number_of_tenants_with_counters_is_bounded(store: JobIndex) -> None:
    jobs = [job_of_age(store, 0, new_job(tenant=f"t{number}")) for number in range(TENANTS_COUNTED + 2)]
    store.cancel(jobs[-1].id)
    store.cancel(jobs[0].id)
    counts = Counts(store)
    assert counts["tenant_jobs_accepted|tenant=other"] == 2
    assert counts["tenant_unfinished|tenant=other"] == 1
    assert counts[f"tenant_unfinished|tenant=t{TENANTS_COUNTED - 1}"] == 1
    assert counts["tenant_unfinished|tenant=t0"] == 0


def test_retention_that_is_over_shows_until_the_job_is_purged(store: JobIndex) -> None:
    job = job_of_age(store, 0, new_job(options=JobOptions(retain_seconds=0)))
    kept = job_of_age(store, 0)
    for one in (job, kept):
        store.cancel(one.id)
    time.sleep(0.02)
    assert store.health().retention_lag_seconds >= 0.02
    assert [one.id for one in store.claim_expired(10)] == [job.id]
    assert store.claim_expired(10) == []
    assert store.health().retention_lag_seconds >= 0.02  # a claim does not hide it
    store.purge(job.id)
    assert store.health().retention_lag_seconds == 0
    store.condemn(kept.id)
    time.sleep(0.02)
    assert store.health().retention_lag_seconds >= 0.02
    store.purge(kept.id)
    assert store.health().retention_lag_seconds == 0


def test_many_jobs_are_condemned_and_purged_together(store: JobIndex) -> None:
    """As one by one: what has not ended, or is not there, is left out."""
    ended = [store.cancel(job_of_age(store, 0).id).id for _ in range(3)]
    waiting = job_of_age(store, 0).id
    assert list(store.condemn_each([])) == list(store.purge_each([])) == []
    assert list(store.condemn_each([ended[0]])) == ended[:1]
    assert list(store.condemn_each([new_id(), *ended, waiting])) == ended
    for job_id in ended:
        with pytest.raises(JobPurged):
            store.retry(job_id)
    assert list(store.purge_each([waiting, *ended, new_id()])) == ended
    assert list(store.purge_each(ended)) == []
    for job_id in ended:
        with pytest.raises(JobPurged):
            store.get(job_id)
    assert store.get(waiting).state is JobState.ACCEPTED
    assert Counts(store)["jobs_purged|queue=interactive"] == 3


def test_a_retry_by_hand_ends_the_retention(store: JobIndex) -> None:
    job = job_of_age(store, 0, new_job(options=JobOptions(retain_seconds=0)))
    store.cancel(job.id)
    time.sleep(0.01)
    store.claim_expired(10)
    store.retry(job.id)
    assert store.health().retention_lag_seconds == 0


def measured(store: JobIndex, work: Callable[[], object], start_seconds: float = 0.0, longest: float = 60.0) -> Counts:
    """Return the counts after a span of 50 ms of service that begins with `work`."""
    store.measure_service(start_seconds, longest)
    before = Counts(store)
    assert before["busy_ms|queue=batch"] == before["served_ms|queue=interactive"] == 0
    work()
    time.sleep(0.05)
    store.measure_service(start_seconds, longest)
    return Counts(store)


def test_a_queue_without_jobs_is_not_busy(store: JobIndex) -> None:
    counts = measured(store, lambda: store.register_worker("w", Queue.BATCH, 3, 30))
    assert counts["busy_ms|queue=batch"] == counts["served_ms|queue=batch"] == 0
    assert counts["capacity_ms|queue=batch"] >= 150
    assert counts["capacity_ms|queue=interactive"] == 0


def test_a_busy_queue_is_served_while_it_has_workers(store: JobIndex) -> None:
    def work() -> None:
        job_of_age(store, 10)
        store.register_worker("w", Queue.INTERACTIVE, 2, 30)
        store.register_worker("v", Queue.INTERACTIVE, 1, 30)

    counts = measured(store, work)
    assert counts["busy_ms|queue=interactive"] == counts["served_ms|queue=interactive"] >= 50
    assert counts["capacity_ms|queue=interactive"] == 3 * counts["busy_ms|queue=interactive"]


@pytest.mark.parametrize(("start_seconds", "served"), [(5.0, False), (1000.0, True)])
def test_a_queue_without_workers_is_not_served_once_one_had_time_to_start(
    store: JobIndex, start_seconds: float, served: bool
) -> None:
    counts = measured(store, lambda: job_of_age(store, 10), start_seconds)
    assert counts["busy_ms|queue=interactive"] >= 50
    assert counts["served_ms|queue=interactive"] == (counts["busy_ms|queue=interactive"] if served else 0)


def test_the_time_of_an_outage_of_all_keepers_is_cut_off(store: JobIndex) -> None:
    counts = measured(store, lambda: job_of_age(store, 10), longest=0.01)
    assert counts["busy_ms|queue=interactive"] == 10


def test_usage_is_what_the_ends_of_a_tenants_jobs_took_by_day_and_queue(store: JobIndex) -> None:
    today = datetime.now(UTC).date()
    for _ in range(2):
        job = job_of_age(store, 100, new_job(tenant="north"))
        store.fail_attempt(start(store, job), BUSY, RetryIn(0))
        store.succeed(start(store, job), RESULT)
    batch = job_of_age(store, 0, new_job(tenant="north", options=JobOptions(queue=Queue.BATCH)))
    store.cancel(batch.id)
    store.retry(batch.id)
    store.fail_attempt(start(store, batch), BUSY, GiveUp())
    job_of_age(store, 0, new_job(tenant="north"))
    store.cancel(job_of_age(store, 0, new_job(tenant="south")).id)
    last = datetime.now(UTC).date()
    found = store.usage("north", today, last)
    interactive = [usage for usage in found if usage.queue is Queue.INTERACTIVE]
    assert sum(usage.succeeded for usage in interactive) == 2
    assert sum(usage.attempts for usage in interactive) == 4
    assert sum(usage.audio_seconds for usage in interactive) == 120
    assert sum(usage.engine_seconds for usage in interactive) == 8
    assert sum(usage.engine_cpu_seconds for usage in interactive) == 15
    assert sum(usage.transcribed_seconds for usage in interactive) == 120
    assert 200 <= sum(usage.wait_seconds for usage in interactive) < 200 + TOLERANCE_MS / 1000
    others = [usage for usage in found if usage.queue is Queue.BATCH]
    assert sum(usage.cancelled for usage in others) == sum(usage.failed for usage in others) == 1
    assert sum(usage.succeeded for usage in others) == 0
    assert sum(usage.cancelled for usage in store.usage("south", today, last)) == 1
    assert store.usage("north", today - timedelta(days=30), today - timedelta(days=1)) == []


def test_a_restored_end_is_used_on_its_own_day(store: JobIndex) -> None:
    accepted = datetime(2026, 1, 1, 23, 50, tzinfo=UTC)
    ended = accepted + timedelta(seconds=900)
    attempts = (Attempt(1, "w", accepted, ended),)
    assert store.restore(new_job(), accepted, 0, JobEnd(JobState.SUCCEEDED, ended, accepted, 1, attempts, None, RESULT))
    (usage,) = store.usage("default", accepted.date(), ended.date())
    assert (usage.day, usage.succeeded, usage.audio_seconds) == (ended.date(), 1, 60)
