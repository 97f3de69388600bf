"""What a transition writes beside the state: fields, indexes, counters and messages, each by its name in Redis."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from parley_core.errors import LeaseLost
from parley_core.job import (
    Failure,
    GiveUp,
    Job,
    JobEnd,
    JobOptions,
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
from tests.support.fakes import new_job

BUSY = Failure("engine_error", "It broke.")
INDEXES = ("parley:due", "parley:expiry", "parley:waiting:interactive", "parley:unfinished:interactive")
FIRST = "attempt:1"
RUNNING = {f"{FIRST}:worker", f"{FIRST}:started_at"}


def accepted(store: RedisJobStore, **options: Any) -> Job:
    return store.create(new_job(options=JobOptions(**options))).job


def started(store: RedisJobStore, job: Job) -> Lease:
    begun = store.start_attempt(job.id, "w/1", 30)
    assert begun is not None
    return begun[1]


def queued(store: RedisJobStore) -> Job:
    job = accepted(store)
    store.mark_queued(dispatch_of(job))
    return job


def places(redis: Any, job_id: str) -> set[str]:
    """Return the indexes that hold a job."""
    return {index for index in INDEXES if redis.zscore(index, job_id) is not None}


def fields(redis: Any, job_id: str) -> set[str]:
    return set(redis.hkeys(f"parley:job:{job_id}"))


def result(lease: Lease) -> ResultSummary:
    return ResultSummary(result_key(lease.job_id, lease.nonce), 2, 5, 12.5, {"name": "onnx"}, {"engine": 1.0})


def test_each_state_has_its_places(store: RedisJobStore, redis: Any) -> None:
    job = accepted(store)
    assert places(redis, job.id) == {"parley:due", "parley:unfinished:interactive"}
    store.mark_queued(dispatch_of(job))
    assert places(redis, job.id) == {"parley:waiting:interactive", "parley:unfinished:interactive"}
    lease = started(store, job)
    assert places(redis, job.id) == {"parley:unfinished:interactive"}
    store.fail_attempt(lease, BUSY, GiveUp())
    assert places(redis, job.id) == {"parley:expiry"}
    store.retry(job.id)
    assert places(redis, job.id) == {"parley:due", "parley:unfinished:interactive"}
    assert started(store, store.get(job.id))
    assert places(redis, job.id) == {"parley:unfinished:interactive"}, "started before it was published"
    waiting = queued(store)
    store.cancel(waiting.id)
    assert places(redis, waiting.id) == {"parley:expiry"}


def test_a_retry_by_hand_leaves_nothing_of_the_run_before(store: RedisJobStore, redis: Any) -> None:
    job = accepted(store)
    before = fields(redis, job.id)
    lease = started(store, job)
    store.renew(lease, 30, None, 0.5)
    store.fail_attempt(lease, BUSY, GiveUp())
    retried = store.retry(job.id)
    assert fields(redis, job.id) == before
    assert (retried.progress, retried.attempts, retried.error) == (0.0, (), None)


def test_an_attempt_given_back_leaves_nothing(store: RedisJobStore, redis: Any) -> None:
    job = accepted(store)
    before = fields(redis, job.id)
    store.mark_queued(dispatch_of(job))
    lease = started(store, job)
    assert fields(redis, job.id) >= RUNNING
    events = len(store.events(job.id))
    store.give_back(lease)
    assert fields(redis, job.id) - before == {"nonce", "started_at", "turn"}
    assert len(store.events(job.id)) == events + 1


def test_an_attempt_that_fails_is_told_and_no_longer_published(store: RedisJobStore, redis: Any) -> None:
    lease = started(store, queued(store))
    events = len(store.events(lease.job_id))
    store.fail_attempt(lease, BUSY, RetryIn(60))
    assert "published_at" not in fields(redis, lease.job_id)
    assert len(store.events(lease.job_id)) == events + 1


def test_a_word_of_publishing_changes_no_job_that_has_started(store: RedisJobStore, redis: Any) -> None:
    job = accepted(store)
    started(store, job)
    redis.hset(f"parley:job:{job.id}", "token", dispatch_of(job).token)
    store.mark_queued(dispatch_of(job))
    assert store.get(job.id).state is JobState.RUNNING
    assert places(redis, job.id) == {"parley:unfinished:interactive"}


def test_publishing_again_makes_no_event(store: RedisJobStore) -> None:
    job = queued(store)
    events = store.events(job.id)
    store.mark_queued(dispatch_of(job))
    assert store.events(job.id) == events


def test_every_change_wakes_those_who_wait(store: RedisJobStore, redis: Any) -> None:
    subscription = redis.pubsub(ignore_subscribe_messages=True)
    subscription.subscribe("parley:changed")
    subscription.get_message(timeout=5)
    job = accepted(store)
    assert subscription.get_message(timeout=5)["data"] == job.id
    subscription.close()


def test_what_happens_to_jobs_is_counted(store: RedisJobStore, redis: Any) -> None:
    first, second, lost = queued(store), queued(store), queued(store)
    lease = started(store, first)
    store.succeed(lease, result(lease))
    store.fail_attempt(started(store, second), BUSY, GiveUp())
    store.retry(second.id)
    store.purge(first.id)
    time.sleep(0.01)
    assert store.republish_lost({Queue.INTERACTIVE: 0}, 0) == [lost.id]
    counters = redis.hgetall("parley:stats")
    queue = "queue=interactive"
    assert {name: counters.get(f"{name}|{queue}") for name in ("jobs_purged", "messages_lost", "jobs_retried")} == {
        "jobs_purged": "1",
        "messages_lost": "1",
        "jobs_retried": "1",
    }
    assert counters[f"attempts_started|{queue}"] == "2"
    for what, samples in (("wait_seconds", 2), ("run_seconds", 1)):
        buckets = {name: int(value) for name, value in counters.items() if name.startswith(f"{what}_bucket")}
        assert sum(buckets.values()) == samples
        assert not any("+Inf" in name for name in buckets)


def test_a_wait_is_observed_once_for_a_job(store: RedisJobStore, redis: Any) -> None:
    lease = started(store, queued(store))
    begun = redis.hget(f"parley:job:{lease.job_id}", "started_at")
    store.fail_attempt(lease, BUSY, RetryIn(0))
    time.sleep(0.005)
    started(store, store.get(lease.job_id))
    assert redis.hget(f"parley:job:{lease.job_id}", "started_at") == begun
    counters = redis.hgetall("parley:stats")
    assert [value for name, value in counters.items() if name.startswith("wait_seconds_bucket")] == ["1"]


def test_only_the_holder_releases_a_key(store: RedisJobStore, redis: Any) -> None:
    store.reserve_key("default", "k", "one", 60)
    store.release_key("default", "k", "another")
    assert len(list(redis.scan_iter("parley:idempotency:*"))) == 1


def test_a_silent_worker_is_removed_by_the_next_word_of_another(store: RedisJobStore, redis: Any) -> None:
    store.register_worker("a", Queue.BATCH, 1, 0.001)
    time.sleep(0.01)
    store.register_worker("b", Queue.BATCH, 1, 60)
    assert redis.zcard("parley:workers:batch") == 1


def test_a_start_whose_reply_was_lost_gives_the_same_lease_again(
    store: RedisJobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = queued(store)
    monkeypatch.setattr("parley_core.redis.transitions.secrets.token_hex", lambda size: "the same call")
    first, second = store.start_attempt(job.id, "w/1", 30), store.start_attempt(job.id, "w/1", 30)
    assert first is not None
    assert first == second
    assert len(first[0].attempts) == 1
    store.fail_attempt(first[1], BUSY, RetryIn(0))
    after = store.start_attempt(job.id, "w/1", 30)
    assert after is not None
    assert len(after[0].attempts) == 2, "its lease is over"


def test_a_job_that_is_published_again_waits_from_then_on(store: RedisJobStore, redis: Any) -> None:
    job = queued(store)
    redis.zadd("parley:due", {job.id: 0})
    redis.zadd("parley:waiting:interactive", {job.id: 1})
    redis.hset(f"parley:job:{job.id}", "published_at", 1)
    store.mark_queued(dispatch_of(job))
    assert places(redis, job.id) == {"parley:waiting:interactive", "parley:unfinished:interactive"}
    assert redis.zscore("parley:waiting:interactive", job.id) > 1
    assert int(redis.hget(f"parley:job:{job.id}", "published_at")) > 1


def test_a_restored_job_is_counted_and_tells_those_who_watch(store: RedisJobStore) -> None:
    new = new_job()
    store.restore(new, datetime.now(UTC), 0, None)
    assert store.stats().counters["jobs_restored|queue=interactive"] == 1
    assert [event.state for event in store.events(new.id)] == [JobState.ACCEPTED]


def test_a_restored_job_is_due_and_stands_in_the_line_of_its_tenant(store: RedisJobStore, redis: Any) -> None:
    new = new_job()
    store.restore(new, datetime.now(UTC), 0, None)
    assert places(redis, new.id) == {"parley:due", "parley:unfinished:interactive"}
    assert [dispatch.job_id for dispatch in store.take_turns(1)] == [new.id]


def test_an_end_without_a_result_names_no_engine(store: RedisJobStore, redis: Any) -> None:
    store.restore(new_job(), datetime.now(UTC), 0, JobEnd(JobState.CANCELLED, datetime.now(UTC)))
    assert not redis.exists("parley:engines")


def test_an_older_message_moves_no_queue_back(store: RedisJobStore, redis: Any) -> None:
    job = queued(store)
    redis.set("parley:started:interactive", 2**52)
    started(store, job)
    assert int(redis.get("parley:started:interactive")) == 2**52


def test_a_job_that_has_its_turn_takes_the_room_of_its_message_until_it_is_published(store: RedisJobStore) -> None:
    for _ in range(6):
        accepted(store)
    assert [len(store.take_turns(10)) for _ in range(2)] == [4, 0]


def test_an_ended_job_keeps_nothing_of_its_way_there(store: RedisJobStore, redis: Any) -> None:
    lease = started(store, queued(store))
    assert store.get(lease.job_id).started_at is not None
    store.renew(lease, 30, Phase.EMBEDDING, 0.5)
    before = fields(redis, lease.job_id)
    store.cancel(lease.job_id)
    gone = {"phase", "published_at", "accepted_at", "turn", "progressed_at"}
    assert before - fields(redis, lease.job_id) == gone


def test_usage_names_only_what_was_used(store: RedisJobStore, redis: Any) -> None:
    store.cancel(accepted(store).id)
    (key,) = redis.scan_iter("parley:usage:*")
    assert redis.hgetall(key) == {"interactive:cancelled": "1"}


def test_a_result_of_a_job_that_redis_has_lost_is_refused(store: RedisJobStore, redis: Any) -> None:
    lease = started(store, queued(store))
    redis.delete(f"parley:job:{lease.job_id}")
    with pytest.raises(LeaseLost):
        store.succeed(lease, result(lease))
