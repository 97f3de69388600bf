"""What the record is in Redis: small, indexed, counted, and read as far as it can be."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from parley_core.errors import JobStoreUnavailable, RecordUnreadable
from parley_core.job import (
    Failure,
    GiveUp,
    IdempotencyKey,
    Job,
    JobEnd,
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
from parley_core.recording import result_key
from parley_core.redis import RedisJobStore
from parley_core.settings import Settings
from tests.support.api_process import free_port
from tests.support.fakes import new_job
from tests.support.valkey import Valkey
from tests.support.waiting import until

ENGINE = {"name": "onnx", "version": "1", "weights": {"a": "b" * 64}}
WORKER = "parley-worker-5d8f7c9b4-x2x7k/ab12cd/17"
BUSY = Failure("engine_error", "It broke.")
COUNTING_KEYS = {
    "parley:stats",
    "parley:tenants",
    "parley:engines",
    "parley:started:interactive",
    "parley:pace:interactive",
}
FINISHED_KEYS = COUNTING_KEYS | {"parley:expiry", "parley:references:default", "parley:stored_bytes"}


def running(store: RedisJobStore, job: Job | None = None) -> Lease:
    job = job or store.create(new_job(options=JobOptions(reference="consult 7"))).job
    store.mark_queued(dispatch_of(job))
    started = store.start_attempt(job.id, WORKER, 30)
    assert started is not None
    return started[1]


def result(lease: Lease) -> ResultSummary:
    return ResultSummary(result_key(lease.job_id, lease.nonce), 2, 5, 12.5, ENGINE, {"engine": 1.0}, 2, 1.25)


def usage_keys(redis: Any) -> set[str]:
    """The counters of the tenant's days: one hash a day, whatever the number of jobs. Raises if one would stay."""
    found = set(redis.scan_iter("parley:usage:*"))
    assert found
    assert all(redis.ttl(key) > 0 for key in found)
    return found


def test_a_finished_job_is_one_packed_hash_and_four_places_in_indexes(store: RedisJobStore, redis: Any) -> None:
    lease = running(store)
    for phase in Phase:
        store.renew(lease, 30, phase, 0.5)
    store.succeed(lease, result(lease))
    record = f"parley:job:{lease.job_id}"
    assert redis.object("encoding", record) == "listpack"
    listed = "parley:jobs:default:interactive:succeeded"
    assert set(redis.scan_iter()) - FINISHED_KEYS - usage_keys(redis) == {record, listed}
    assert set(redis.hkeys("parley:engines")) == {redis.hget(record, "engine")}
    assert not {"phase", "published_at", "accepted_at", "not_before"} & set(redis.hkeys(record))


def test_a_purged_job_leaves_its_tombstone_alone(store: RedisJobStore, redis: Any) -> None:
    lease = running(store)
    store.succeed(lease, result(lease))
    store.purge(lease.job_id)
    left = set(redis.scan_iter()) - COUNTING_KEYS - usage_keys(redis)
    assert left == {f"parley:purged:{lease.job_id}"}
    assert 3500 < redis.ttl(f"parley:purged:{lease.job_id}") <= 3600, "memory would grow with the jobs of a month"


@pytest.mark.parametrize("how", ["succeed", "fail", "retry", "cancel"])
def test_no_worker_is_counted_after_its_last_attempt(store: RedisJobStore, redis: Any, how: str) -> None:
    other, lease = running(store), running(store)
    assert store.running_by_worker() == {WORKER: 2}
    if how == "succeed":
        store.succeed(lease, result(lease))
    elif how == "cancel":
        store.cancel(lease.job_id)
    else:
        store.fail_attempt(lease, BUSY, GiveUp() if how == "fail" else RetryIn(60))
    assert store.running_by_worker() == {WORKER: 1}
    store.cancel(other.job_id)
    assert redis.hgetall("parley:running") == {}
    assert store.health().leases == 0


def test_a_renewal_goes_neither_into_the_log_nor_to_replicas(tmp_path: Path) -> None:
    """Else a thousand running jobs write a thousand times a second."""
    port = free_port()
    primary = Valkey(tmp_path / "primary", "--port", str(port), "--repl-diskless-sync-delay", "0")
    replica = Valkey(tmp_path / "replica")
    try:
        for server in (primary, replica):
            server.start()
        replica.follow(port)
        store = RedisJobStore.from_settings(Settings(redis_url=primary.url))
        lease = running(store)
        client: Any = primary.client()
        key = f"parley:job:{lease.job_id}"
        until(lambda: replica.client().hget(key, "state") == "running")
        score = client.zscore("parley:leases:interactive", lease.job_id)
        time.sleep(0.01)
        store.renew(lease, 60, Phase.EMBEDDING, 0.5)
        assert client.zscore("parley:leases:interactive", lease.job_id) > score
        assert store.lapsed_leases(1) == []  # the first call notes the server
        logged = client.info("persistence")["aof_current_size"]
        store.renew(lease, 60, Phase.EMBEDDING, 0.75)
        assert store.lapsed_leases(1) == []
        assert client.info("persistence")["aof_current_size"] == logged
        assert (store.get(lease.job_id).phase, store.get(lease.job_id).progress) == (Phase.EMBEDDING, 0.75)
        client.zadd("parley:leases:interactive", {"strange": 0})
        client.hset("parley:renewals", "since", 0)
        assert store.lapsed_leases(1) == []
        until(lambda: replica.client().zscore("parley:leases:interactive", "strange") is None)
        store.succeed(lease, result(lease))
        until(lambda: replica.client().hget(key, "state") == "succeeded")
        assert replica.client().zscore("parley:leases:interactive", lease.job_id) is None
        assert replica.client().hgetall("parley:running") == {}
    finally:
        for server in (replica, primary):
            server.kill()


DAMAGE = {
    "a field of nonsense": lambda redis, key: redis.hset(key, "limits", "{"),
    "an unknown state": lambda redis, key: redis.hset(key, "state", "dreaming"),
    "a lacking field": lambda redis, key: redis.hdel(key, "sha256"),
    "another type": lambda redis, key: (redis.delete(key), redis.set(key, "nonsense")),
}


@pytest.fixture(params=DAMAGE.values(), ids=DAMAGE.keys())
def damage(request: pytest.FixtureRequest, redis: Any) -> Any:
    return lambda job_id: request.param(redis, f"parley:job:{job_id}")


def unreadable(store: RedisJobStore) -> int:
    return store.stats().counters.get("unreadable_records", 0)


def test_a_record_that_cannot_be_read_stops_no_list(store: RedisJobStore, damage: Any) -> None:
    options = JobOptions(reference="consult 7")
    bad, good = store.create(new_job(options=options)).job, store.create(new_job(options=options)).job
    damage(bad.id)
    for query in (JobQuery("default"), JobQuery("default", reference="consult 7")):
        assert [job.id for job in store.page(query).jobs] == [good.id]
    assert unreadable(store) == 2
    with pytest.raises((RecordUnreadable, JobStoreUnavailable)):
        store.get(bad.id)


def test_a_record_that_cannot_be_read_stops_no_publishing(store: RedisJobStore, redis: Any, damage: Any) -> None:
    bad, good = store.create(new_job()).job, store.create(new_job()).job
    redis.zadd("parley:due", {bad.id: 0, good.id: 0})
    damage(bad.id)
    assert good.id in [dispatch.job_id for dispatch in store.claim_due(2)]


def test_a_record_that_cannot_be_read_stops_no_retention(store: RedisJobStore, redis: Any, damage: Any) -> None:
    bad, good = (store.cancel(store.create(new_job()).job.id) for _ in range(2))
    redis.zadd("parley:expiry", {bad.id: 0, good.id: 0})
    damage(bad.id)
    assert [job.id for job in store.claim_expired(2)] == [good.id]


@pytest.fixture
def patient_store(valkey: Valkey) -> Iterator[RedisJobStore]:
    """A store whose leases have had their grace."""
    store = RedisJobStore.from_settings(Settings(redis_url=valkey.url, lease_seconds=0.1, lease_renewal_seconds=0.01))
    store.lapsed_leases(1)
    time.sleep(0.15)
    yield store


@pytest.mark.parametrize("field", ["token", "nonce", "attempt", "state", "attempt:1:worker"])
def test_a_lease_that_cannot_be_read_stops_no_other(
    patient_store: RedisJobStore, redis: Any, field: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, good = running(patient_store), running(patient_store)
    redis.zadd("parley:leases:interactive", {bad.job_id: 0, good.job_id: 1})
    redis.hdel(f"parley:job:{bad.job_id}", field)
    assert [lapsed.lease for lapsed in patient_store.lapsed_leases(2)] == [good]
    assert [lapsed.lease for lapsed in patient_store.lapsed_leases(1)] == [good], "the bad one is out of the way"
    assert unreadable(patient_store) == (0 if field == "state" else 1)
    assert (bad.job_id in capsys.readouterr().out) == (field != "state"), "an operator can find the record"


def test_a_lease_of_a_record_of_another_type_is_dropped(patient_store: RedisJobStore, redis: Any) -> None:
    redis.set("parley:job:x", "nonsense")
    redis.zadd("parley:leases:batch", {"x": 0})
    assert patient_store.lapsed_leases(1) == []
    assert redis.zcard("parley:leases:batch") == 0


def test_entries_of_indexes_without_a_job_are_dropped(store: RedisJobStore, redis: Any) -> None:
    for key in ("parley:due", "parley:expiry"):
        redis.zadd(key, {"gone": 0})
    assert store.claim_due(1) == []
    assert list(store.claim_expired(1)) == []
    assert (redis.zcard("parley:due"), redis.zcard("parley:expiry")) == (0, 0)


def test_an_ended_job_stays_until_its_end_is_delivered(store: RedisJobStore, redis: Any) -> None:
    options = JobOptions(callback_url="https://example.org/ends", retain_seconds=0)
    job = store.cancel(store.create(new_job(options=options)).job.id)
    time.sleep(0.005)
    assert list(store.claim_expired(1)) == []
    assert redis.zcard("parley:removing") == 0, "it is not late"
    redis.hset(f"parley:job:{job.id}", "delivery:0:state", "delivered")
    redis.zadd("parley:expiry", {job.id: 0})
    assert [expired.id for expired in store.claim_expired(1)] == [job.id]


def test_a_job_that_runs_again_is_no_longer_late(store: RedisJobStore, redis: Any) -> None:
    lease = running(store)
    for key in ("parley:expiry", "parley:removing"):
        redis.zadd(key, {lease.job_id: 0})
    assert list(store.claim_expired(1)) == []
    assert redis.zcard("parley:removing") == 0


def test_the_recording_of_a_job_that_runs_again_is_not_given_out_for_removal(store: RedisJobStore, redis: Any) -> None:
    lease = running(store)
    redis.zadd("parley:audio_expiry", {lease.job_id: 0})
    redis.zadd("parley:removing", {f"{lease.job_id}:audio": 0})
    assert list(store.claim_recordings(1)) == []
    assert (redis.zcard("parley:audio_expiry"), redis.zcard("parley:removing")) == (0, 0)


def test_nothing_asks_for_the_recording_of_a_purged_or_retried_job(store: RedisJobStore, redis: Any) -> None:
    options = JobOptions(retain_audio_seconds=0)
    for leave in (store.retry, store.purge):
        job = store.cancel(store.create(new_job(options=options)).job.id)
        redis.zadd("parley:audio_expiry", {job.id: 0})
        assert [due.id for due in store.claim_recordings(1)] == [job.id]
        assert (redis.zcard("parley:audio_expiry"), redis.zcard("parley:removing")) == (1, 1)
        leave(job.id)
        assert (redis.zcard("parley:audio_expiry"), redis.zcard("parley:removing")) == (0, 0)


def test_a_key_that_has_made_its_job_is_held_by_nobody(store: RedisJobStore, redis: Any) -> None:
    store.reserve_key("default", "k", "a request", 60)
    job = store.create(new_job(), IdempotencyKey("k", "d")).job
    (key,) = redis.scan_iter("parley:idempotency:*")
    assert redis.hgetall(key) == {"job": job.id, "digest": "d"}


def test_a_job_that_runs_or_waits_is_never_given_out_for_purging(store: RedisJobStore, redis: Any) -> None:
    lease = running(store)
    redis.zadd("parley:expiry", {lease.job_id: 0})
    assert list(store.claim_expired(1)) == []


def test_a_lapsed_lease_of_the_second_queue_is_found_too(patient_store: RedisJobStore) -> None:
    lease = running(patient_store, patient_store.create(new_job(options=JobOptions(queue=Queue.BATCH))).job)
    patient_store.renew(lease, 0.01, Phase.EMBEDDING, 0.5)
    time.sleep(0.02)
    assert [lapsed.lease for lapsed in patient_store.lapsed_leases(1)] == [lease]


def test_no_lease_is_given_out_before_a_whole_lease_on_this_server(valkey: Valkey, redis: Any) -> None:
    store = RedisJobStore.from_settings(Settings(redis_url=valkey.url, lease_seconds=0.4, lease_renewal_seconds=0.1))
    lease = running(store)
    redis.zadd("parley:leases:interactive", {lease.job_id: 0})
    assert store.lapsed_leases(1) == []
    assert store.lapsed_leases(1) == []
    time.sleep(0.45)
    assert [lapsed.lease for lapsed in store.lapsed_leases(1)] == [lease]
    redis.hset("parley:renewals", "server", "another")
    assert store.lapsed_leases(1) == []
    assert redis.hget("parley:renewals", "server") == server_identity(redis)


def test_after_a_jump_of_the_clock_workers_have_a_whole_lease_to_renew(valkey: Valkey, redis: Any) -> None:
    """A machine that slept, or whose clock was set, finds all leases lapsed at once."""
    store = RedisJobStore.from_settings(Settings(redis_url=valkey.url, lease_seconds=0.4, lease_renewal_seconds=0.1))
    lease = running(store)
    until(lambda: store.lapsed_leases(1) == [] and float(redis.hget("parley:renewals", "seen")) > 0)
    for field in ("since", "seen"):  # an hour ago
        redis.hincrby("parley:renewals", field, -3_600_000)
    redis.zadd("parley:leases:interactive", {lease.job_id: 0})
    assert store.lapsed_leases(1) == []
    store.renew(lease, 30, Phase.EMBEDDING, 0.5)
    time.sleep(0.2)
    assert store.lapsed_leases(1) == []
    redis.zadd("parley:leases:interactive", {lease.job_id: 0})
    assert [found.lease for found in until(lambda: store.lapsed_leases(1))] == [lease]


def test_a_clock_that_went_back_keeps_no_lost_worker_for_long(valkey: Valkey, redis: Any) -> None:
    store = RedisJobStore.from_settings(Settings(redis_url=valkey.url, lease_seconds=0.4, lease_renewal_seconds=0.1))
    lease = running(store)
    hour = 3_600_000
    ahead = int(redis.time()[0] * 1000) + hour
    redis.hset("parley:renewals", mapping={"server": server_identity(redis), "since": ahead, "seen": ahead})
    redis.zadd("parley:leases:interactive", {lease.job_id: ahead})
    assert store.lapsed_leases(1) == []
    assert [found.lease for found in until(lambda: store.lapsed_leases(1))] == [lease]


def test_a_promoted_server_whose_clock_is_behind_keeps_no_lost_worker_for_long(valkey: Valkey, redis: Any) -> None:
    """`seen` is not replicated, so such a server cannot notice by it that the time went back."""
    store = RedisJobStore.from_settings(Settings(redis_url=valkey.url, lease_seconds=0.4, lease_renewal_seconds=0.1))
    lease = running(store)
    redis.zadd("parley:leases:interactive", {lease.job_id: int(redis.time()[0] + 3600) * 1000})
    redis.hset("parley:renewals", "server", "another")
    redis.hdel("parley:renewals", "seen")
    assert store.lapsed_leases(1) == []
    assert [found.lease for found in until(lambda: store.lapsed_leases(1))] == [lease]


def server_identity(redis: Any) -> str:
    return f"{redis.info()['run_id']}:{redis.info()['master_replid']}"


def test_a_callers_key_is_kept_for_a_day(store: RedisJobStore, redis: Any) -> None:
    store.create(new_job(), IdempotencyKey("k", "d"))
    (key,) = redis.scan_iter("parley:idempotency:*")
    assert 86_000 < redis.ttl(key) <= 86_400


def test_the_events_of_a_running_job_are_bounded(store: RedisJobStore, redis: Any) -> None:
    lease = running(store)
    for number in range(300):
        store.renew(lease, 30, Phase.EMBEDDING, number / 300)
    assert redis.llen(f"parley:events:{lease.job_id}") == 200
    assert store.events(lease.job_id)[-1].progress == pytest.approx(299 / 300, abs=0.001)


def test_an_engine_of_many_results_is_kept_once_and_read_once(store: RedisJobStore, valkey: Valkey) -> None:
    for _ in range(3):
        lease = running(store)
        assert store.succeed(lease, result(lease)).result == result(lease)
    fresh = RedisJobStore.from_settings(Settings(redis_url=valkey.url))
    assert [job.result and job.result.engine for job in fresh.page(JobQuery("default")).jobs] == [ENGINE] * 3
    assert valkey.client().hlen("parley:engines") == 1


def test_neither_a_page_of_a_reference_nor_the_queues_read_the_records_of_others(
    store: RedisJobStore, redis: Any
) -> None:
    for number in range(20):
        running(store, store.create(new_job(options=JobOptions(reference=f"consult {number % 10}"))).job)
    redis.config_resetstat()
    assert len(store.page(JobQuery("default", reference="consult 3")).jobs) == 2
    assert [status.running for status in store.queues()] == [20, 0]
    calls = redis.info("commandstats")
    assert calls["cmdstat_hgetall"]["calls"] == 2
    assert calls["cmdstat_hmget"]["calls"] <= 4, "of the forecast: one a job, and the pace of the queue"


def test_after_a_clock_that_went_back_waiting_jobs_are_not_published_again_and_again(
    store: RedisJobStore, redis: Any
) -> None:
    """Else each round adds a message for every waiting job, until Redis is full."""
    job = store.create(new_job()).job
    store.mark_queued(dispatch_of(job))
    redis.zadd("parley:waiting:interactive", {job.id: 1000})
    redis.set("parley:started:interactive", int(redis.time()[0] + 3600) * 1000)
    assert list(store.republish_lost({Queue.INTERACTIVE: 7}, 0)) == []
    redis.set("parley:started:interactive", int(redis.time()[0]) * 1000)
    assert list(store.republish_lost({Queue.INTERACTIVE: 7}, 0)) == [job.id], "passed over by a newer one"


def test_after_a_clock_that_went_back_a_lost_message_is_noticed_at_once(store: RedisJobStore, redis: Any) -> None:
    job = store.create(new_job()).job
    store.mark_queued(dispatch_of(job))
    redis.zadd("parley:waiting:interactive", {job.id: int(redis.time()[0] + 3600) * 1000})
    assert list(store.republish_lost({Queue.INTERACTIVE: 1}, 0)) == []
    assert list(store.republish_lost({Queue.INTERACTIVE: 0}, 0)) == [job.id]


def test_a_job_without_a_reference_is_under_none(store: RedisJobStore, redis: Any) -> None:
    store.create(new_job())
    assert not redis.exists("parley:references:default")


def test_what_a_job_waited_for_is_forgotten_at_its_end(store: RedisJobStore, redis: Any) -> None:
    lease = running(store)
    job = store.fail_attempt(lease, BUSY, RetryIn(60))
    assert redis.hexists(f"parley:job:{job.id}", "not_before")
    store.cancel(job.id)
    assert not redis.hexists(f"parley:job:{job.id}", "not_before")


def test_a_recording_of_no_length_can_end(store: RedisJobStore, redis: Any) -> None:
    job = store.create(new_job(options=JobOptions(reference="consult 7"))).job
    redis.hset(f"parley:job:{job.id}", "seconds", "0")
    lease = running(store, job)
    assert store.succeed(lease, result(lease)).state == "succeeded"


def test_the_end_of_an_earlier_attempt_takes_no_token_back(store: RedisJobStore, redis: Any) -> None:
    """A worker stored the end, Redis forgot it, and another attempt was started."""
    first = running(store)
    store.fail_attempt(first, BUSY, RetryIn(0))
    second = store.start_attempt(first.job_id, WORKER, 30)
    assert second is not None
    before = redis.hget("parley:stats", "attempts_started|queue=interactive")
    done = datetime.now(UTC)
    attempt = replace(second[0].attempts[0], ended_at=done)
    end = JobEnd(JobState.SUCCEEDED, done, done, first.token, (attempt,), None, result(first))
    store.apply_end(first.job_id, 0, end)
    assert store.get(first.job_id).token == second[1].token > first.token
    assert redis.hget("parley:stats", "attempts_started|queue=interactive") == before
