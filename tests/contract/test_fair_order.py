"""Turns of tenants: whose job is next, how many messages there are, and that no order loses a job."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from parley_core.job import Failure, Job, JobOptions, JobState, Queue, RetryIn
from parley_core.ports import JobIndex
from parley_core.redis import RedisJobStore
from parley_core.settings import Settings
from parley_core.tenants import TenantQuota
from tests.support.fakes import MemoryJobStore, new_job
from tests.support.valkey import Valkey

WITHOUT_WORKERS = 4


@pytest.fixture(params=["redis", "memory"])
def store(request: pytest.FixtureRequest) -> JobIndex:
    if request.param == "memory":
        return MemoryJobStore()
    valkey: Valkey = request.getfixturevalue("valkey")
    return RedisJobStore.from_settings(Settings(redis_url=valkey.url))


def submit(store: JobIndex, tenant: str, seconds: float = 10.0, queue: Queue = Queue.INTERACTIVE) -> Job:
    new = new_job(tenant=tenant, options=JobOptions(queue=queue))
    return store.create(replace(new, recording=replace(new.recording, seconds=seconds))).job


def publish(store: JobIndex, limit: int = 100) -> list[str]:
    """Do what publishers do; return the ids in their order."""
    dispatches = store.take_turns(limit)
    for dispatch in dispatches:
        store.mark_queued(dispatch)
    return [dispatch.job_id for dispatch in dispatches]


def starts(store: JobIndex, jobs: int) -> list[Job]:
    """Run a queue with one worker for so many jobs; return them in the order of their starts."""
    store.register_worker("worker/1", Queue.INTERACTIVE, 1, 60)
    messages: list[str] = []
    started = []
    for _ in range(jobs):
        messages += publish(store)
        attempt = store.start_attempt(messages.pop(0), "worker/1", 30)
        assert attempt is not None
        started.append(attempt[0])
        store.cancel(attempt[0].id)
    return started


def test_few_messages_are_on_their_way_and_each_start_makes_room_for_one(store: JobIndex) -> None:
    jobs = [submit(store, "north") for _ in range(8)]
    published = publish(store)
    assert published == [job.id for job in jobs[:WITHOUT_WORKERS]]
    assert publish(store) == []
    store.register_worker("worker/1", Queue.INTERACTIVE, 5, 60)
    assert publish(store) == [jobs[4].id]
    assert store.start_attempt(published[0], "worker/1", 30)
    assert publish(store) == [jobs[5].id]


def test_a_tenant_with_one_job_does_not_wait_for_the_flood_of_another(store: JobIndex) -> None:
    for _ in range(40):
        submit(store, "north")
    began = starts(store, 5)
    single = submit(store, "south")
    assert single.position <= 2  # type: ignore[operator]
    assert single.id in [job.id for job in starts(store, 2)]
    assert {job.tenant for job in began} == {"north"}


def test_five_tenants_get_equal_shares_however_much_they_have_waiting(store: JobIndex) -> None:
    for number, tenant in enumerate("abcde"):
        for _ in range(6 + 4 * number):
            submit(store, tenant, seconds=(5.0, 55.0)[number % 2])
    shares: Counter[str] = Counter()
    for job in starts(store, 20):
        shares[job.tenant] += int(job.recording.seconds) + 5
    jain = sum(shares.values()) ** 2 / (5 * sum(share**2 for share in shares.values()))
    assert jain >= 0.95, shares


def test_a_share_is_not_saved_up(store: JobIndex) -> None:
    for _ in range(10):
        submit(store, "north")
    starts(store, 10)
    for _ in range(10):
        submit(store, "north")
        submit(store, "south")
    counts = Counter(job.tenant for job in starts(store, 10))
    assert abs(counts["north"] - counts["south"]) <= 2


def test_a_cancelled_job_takes_nothing_from_its_tenant(store: JobIndex) -> None:
    jobs = [submit(store, "north") for _ in range(20)]
    for job in jobs[1:]:
        store.cancel(job.id)
    late = submit(store, "north")
    for _ in range(10):
        submit(store, "south")
    assert late.id in [job.id for job in starts(store, 4)]


def test_jobs_of_a_tenant_keep_their_order_and_positions_count_down(store: JobIndex) -> None:
    jobs = [submit(store, tenant) for _ in range(3) for tenant in ("north", "south")]
    assert [store.get(job.id).position for job in jobs] == [0, 1, 2, 3, 4, 5]
    assert [job.id for job in starts(store, 6)] == [job.id for job in jobs]


def test_positions_are_those_of_the_turns_to_come(store: JobIndex) -> None:
    jobs = [submit(store, tenant) for tenant in ("north", "north", "north", "south", "west", "south")]
    order = sorted(jobs, key=lambda job: store.get(job.id).position or 0)
    assert [store.get(job.id).position for job in order] == list(range(6))
    assert [job.id for job in starts(store, 6)] == [job.id for job in order]


LOST: list[Callable[[JobIndex, Job], object]] = [
    lambda store, job: store.republish_lost(dict.fromkeys(Queue, 0), 0),
    lambda store, job: _fail(store, job),
    lambda store, job: _give_back(store, job),
]


def _fail(store: JobIndex, job: Job) -> None:
    started = store.start_attempt(job.id, "worker/1", 30)
    assert started is not None
    store.fail_attempt(started[1], Failure("engine_error", "It broke."), RetryIn(0))


def _give_back(store: JobIndex, job: Job) -> None:
    started = store.start_attempt(job.id, "worker/1", 30)
    assert started is not None
    store.give_back(started[1])


@pytest.mark.parametrize("lose", LOST, ids=["message", "attempt", "worker"])
def test_a_job_that_has_had_its_turn_keeps_its_place(store: JobIndex, lose: Callable[[JobIndex, Job], object]) -> None:
    store.register_worker("worker/1", Queue.INTERACTIVE, 1, 60)
    first = submit(store, "north")
    assert publish(store) == [first.id]
    for _ in range(5):
        submit(store, "south")
    time.sleep(0.01)
    lose(store, first)
    assert store.claim_due(10)[0].job_id == first.id


def test_a_retry_by_hand_waits_for_a_new_turn(store: JobIndex) -> None:
    store.register_worker("worker/1", Queue.INTERACTIVE, 1, 60)
    first = submit(store, "north")
    publish(store)
    store.cancel(first.id)
    others = [submit(store, "north") for _ in range(3)]
    time.sleep(0.002)  # jobs of the same millisecond stand in a line by their ids
    store.retry(first.id)
    assert [job.id for job in starts(store, 4)] == [*(job.id for job in others), first.id]


def test_a_claimed_turn_that_nobody_published_is_claimed_again(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    store = RedisJobStore.from_settings(Settings(redis_url=valkey.url))
    monkeypatch.setattr("parley_core.redis.transitions.CLAIM_MS", 1)
    job = submit(store, "north")
    assert [dispatch.job_id for dispatch in store.take_turns(1)] == [job.id]
    time.sleep(0.01)
    assert [dispatch.job_id for dispatch in store.claim_due(10)] == [job.id]


def test_a_job_that_its_line_has_lost_comes_back(valkey: Valkey) -> None:
    store = RedisJobStore.from_settings(Settings(redis_url=valkey.url))
    job = submit(store, "north")
    client = valkey.client()
    client.delete("parley:order:interactive", "parley:order:interactive:north")
    assert store.take_turns(10) == []
    client.zadd("parley:due", {job.id: 1})
    assert [dispatch.job_id for dispatch in store.claim_due(10)] == [job.id]


def test_a_line_that_somebody_has_removed_stops_no_other_and_its_job_comes_back(valkey: Valkey) -> None:
    store = RedisJobStore.from_settings(Settings(redis_url=valkey.url))
    lost, other = submit(store, "north"), submit(store, "south")
    client = valkey.client()
    client.delete("parley:order:interactive:north")
    assert publish(store) == [other.id]
    client.zadd("parley:due", {lost.id: 1})
    assert [dispatch.job_id for dispatch in store.claim_due(10)] == [lost.id]


def test_positions_of_many_tenants_are_estimated_from_some_of_them(valkey: Valkey) -> None:
    store = RedisJobStore.from_settings(Settings(redis_url=valkey.url))
    for number in range(150):
        submit(store, f"tenant-{number:03}")
    last = submit(store, "tenant-zzz")
    assert last.position == 150
    calls = client_calls(valkey)
    store.get(last.id)
    assert client_calls(valkey) - calls < 150


def client_calls(valkey: Valkey) -> int:
    """Number of commands that the server has run, those of scripts among them."""
    stats: dict[str, dict[str, int]] = valkey.client().info("commandstats")
    return sum(command["calls"] for command in stats.values())


def test_a_job_without_a_readable_record_does_not_stop_the_line(valkey: Valkey) -> None:
    store = RedisJobStore.from_settings(Settings(redis_url=valkey.url))
    bad, good = submit(store, "north"), submit(store, "north")
    client = valkey.client()
    client.delete(f"parley:job:{bad.id}")
    client.set(f"parley:job:{bad.id}", "somebody's mistake")
    assert publish(store) == [good.id]


def test_accepting_makes_a_job_queued_and_queues_have_turns_of_their_own(store: JobIndex) -> None:
    here = submit(store, "north")
    there = submit(store, "north", queue=Queue.BATCH)
    taken = store.take_turns(10, here.id)
    assert {dispatch.job_id for dispatch in taken} == {here.id, there.id}
    assert (store.get(here.id).state, store.get(there.id).state) == (JobState.QUEUED, JobState.ACCEPTED)


def test_a_job_can_take_turns_in_the_step_that_records_it(store: JobIndex) -> None:
    earlier, there = submit(store, "north"), submit(store, "north", queue=Queue.BATCH)
    created = store.create(new_job(tenant="south"), turns=8)
    assert {dispatch.job_id for dispatch in created.dispatches} == {earlier.id, there.id, created.job.id}
    assert created.job.state is JobState.QUEUED
    assert created.job == store.get(created.job.id)
    assert store.take_turns(10) == []


def test_turns_that_were_taken_with_a_record_and_not_published_are_claimed_again(
    valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RedisJobStore.from_settings(Settings(redis_url=valkey.url))
    monkeypatch.setattr("parley_core.redis.transitions.PUBLISH_WITHIN_MS", 1)
    earlier = submit(store, "default")
    created = store.create(new_job(), turns=1)
    assert [dispatch.job_id for dispatch in created.dispatches] == [earlier.id]
    time.sleep(0.01)
    assert [dispatch.job_id for dispatch in store.claim_due(10)] == [earlier.id, created.job.id]


def test_a_job_beyond_the_turns_of_its_record_waits_in_the_order_and_is_checked_later(valkey: Valkey) -> None:
    store = RedisJobStore.from_settings(Settings(redis_url=valkey.url))
    jobs = [store.create(new_job(), turns=8) for _ in range(WITHOUT_WORKERS + 1)]
    assert [len(created.dispatches) for created in jobs] == [1] * WITHOUT_WORKERS + [0]
    assert (jobs[-1].job.state, jobs[-1].job.position) == (JobState.QUEUED, WITHOUT_WORKERS)
    client = valkey.client()
    assert client.zscore("parley:due", jobs[-1].job.id) > 1000 * (time.time() + 300)
    assert store.create(replace(new_job(), id=jobs[0].job.id), turns=8).dispatches == ()


def test_a_tenant_of_twice_the_weight_gets_twice_the_share(valkey: Valkey) -> None:
    settings = Settings(redis_url=valkey.url, tenants={"north": TenantQuota(weight=2)})
    store = RedisJobStore.from_settings(settings)
    for _ in range(20):
        submit(store, "north")
        submit(store, "south")
    counts = Counter(job.tenant for job in starts(store, 15))
    assert abs(counts["north"] - 10) <= 1
