"""The job store when Redis is full, gone, frozen or has lost its scripts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from chaos.proxy import Network
from parley_core import redis
from parley_core.errors import JobStoreFull, JobStoreUnavailable, JobStoreUnusable
from parley_core.job import Job, JobQuery, JobState, Lease, Phase, ResultSummary, dispatch_of
from parley_core.redis import RedisJobStore, connection, require_usable_store
from parley_core.settings import Settings
from parley_worker.attempt.attempt import Outcome, run_attempt
from parley_worker.engines.port import Report
from tests.support.api_process import free_port
from tests.support.attempts import AttemptFixture, CallingEngine
from tests.support.fakes import new_job
from tests.support.valkey import Valkey
from tests.support.waiting import HANG_SECONDS, seconds_of, until
from tests.support.worker import ParleyProcess

RESULT = ResultSummary("results/x/1.json", 1, 1, 1.0, {}, {})


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Valkey]:
    server = Valkey(tmp_path / "valkey")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def store(server: Valkey) -> RedisJobStore:
    return RedisJobStore.from_settings(Settings(redis_url=server.url))


def fill(server: Valkey) -> None:
    """Leave no memory: what needs more is refused from now on."""
    used = server.client().info("memory")["used_memory"]
    server.client().config_set("maxmemory", used - 1000)


def _record(job: Job) -> Job:
    """The job without its place in the queue, which jobs of the same millisecond take from one another."""
    return replace(job, position=None)


def test_full_memory_refuses_new_jobs_and_lets_accepted_ones_finish(server: Valkey, store: RedisJobStore) -> None:
    waiting = store.create(new_job()).job
    running = store.create(new_job()).job
    started = store.start_attempt(running.id, "worker-1", 30)
    assert started
    fill(server)
    with pytest.raises(JobStoreFull):
        store.create(new_job())
    with pytest.raises(JobStoreFull):
        store.reserve_key("t", "k", "me", 30)
    store.mark_queued(dispatch_of(waiting))
    store.renew(started[1], 30, Phase.EMBEDDING, 0.5)
    assert store.succeed(started[1], RESULT).state is JobState.SUCCEEDED
    assert store.start_attempt(waiting.id, "worker-1", 30)
    assert store.cancel(waiting.id).state is JobState.CANCELLED


def test_a_server_that_is_gone_is_unavailable_and_comes_back_with_every_record(
    server: Valkey, store: RedisJobStore
) -> None:
    jobs = [store.create(new_job()).job for _ in range(50)]
    server.kill()
    with pytest.raises(JobStoreUnavailable):
        store.get(jobs[0].id)
    server.start()
    assert [_record(store.get(job.id)) for job in jobs] == [_record(job) for job in jobs]


def test_a_frozen_server_costs_no_more_than_the_deadline(server: Valkey, store: RedisJobStore) -> None:
    store.create(new_job())
    impatient = RedisJobStore.from_settings(Settings(redis_url=server.url, redis_timeout_seconds=0.3))
    server.pause()

    def ask() -> None:
        with pytest.raises(JobStoreUnavailable):
            impatient.stats()

    assert min(seconds_of(ask) for _ in range(3)) < 2
    server.resume()
    assert store.stats().counters


def test_moves_survive_a_server_that_forgot_its_scripts(server: Valkey, store: RedisJobStore) -> None:
    store.create(new_job())
    server.client().script_flush()
    assert store.create(new_job()).job.state is JobState.ACCEPTED


def test_a_replica_takes_no_jobs_and_says_so(server: Valkey, store: RedisJobStore) -> None:
    server.client().execute_command("REPLICAOF", "127.0.0.1", "1")
    for call in (store.health, lambda: store.create(new_job())):
        with pytest.raises(JobStoreUnavailable, match="replica"):
            call()
    server.client().execute_command("REPLICAOF", "NO", "ONE")
    assert store.create(new_job()).job.state is JobState.ACCEPTED


def test_a_replica_that_takes_writes_is_not_taken_for_a_primary(server: Valkey, store: RedisJobStore) -> None:
    server.client().config_set("replica-read-only", "no")
    server.client().execute_command("REPLICAOF", "127.0.0.1", "1")
    with pytest.raises(JobStoreUnavailable, match="replica"):
        store.health()


def test_a_primary_without_its_replicas_takes_no_jobs_and_says_so(server: Valkey, store: RedisJobStore) -> None:
    server.client().config_set("min-replicas-to-write", 1)
    for call in (store.health, lambda: store.create(new_job())):
        with pytest.raises(JobStoreUnavailable, match="NOREPLICAS"):
            call()
    server.client().config_set("min-replicas-to-write", 0)
    assert store.health().eviction_policy == "noeviction"


def test_jobs_are_read_where_no_writes_are_taken(server: Valkey, store: RedisJobStore) -> None:
    waiting = [store.create(new_job()).job for _ in range(2)]
    server.client().config_set("min-replicas-to-write", 1)
    assert [store.get(job.id).position for job in waiting] == [0, 1]
    assert len(store.page(JobQuery(waiting[0].tenant)).jobs) == 2


def test_proving_that_writes_are_taken_costs_no_entry_in_the_log(server: Valkey, store: RedisJobStore) -> None:
    store.health()
    before = server.client().info("persistence")["aof_current_size"]
    store.health()
    assert server.client().info("persistence")["aof_current_size"] == before


def as_user(server: Valkey, *rules: str) -> RedisJobStore:
    server.client().execute_command("ACL", "SETUSER", "parley", "on", ">right", *rules)
    return RedisJobStore.from_settings(Settings(redis_url=server.url.replace("unix://", "unix://parley:right@")))


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (["~parley:*", "~interactive", "~batch", "&parley:*", "+@all", "-zadd"], "may not ZADD"),
        (["~parley:*", "~interactive", "&parley:*", "+@all"], "may not LPUSH batch"),
        (["~parley:*", "~interactive", "~batch", "resetchannels", "+@all"], "may not PUBLISH"),
        (["~other:*", "&*", "+@all"], "lacks rights"),
        (["~*", "&*", "+@all", "-evalsha"], "lacks rights"),
    ],
)
def test_missing_rights_are_named(server: Valkey, rules: list[str], words: str) -> None:
    with pytest.raises(JobStoreUnusable, match=words):
        as_user(server, *rules).health()


def test_rights_that_go_under_a_running_process_are_away_for_a_while(
    server: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rollback gives Redis the old access list before the old processes take over."""
    store = as_user(server, "~parley:*", "~interactive", "~batch", "&parley:*", "+@all")
    store.health()
    job = store.create(new_job()).job
    as_user(server, "resetkeys", "~parley:job:*", "~parley:probe")
    found = store.get(job.id)
    assert (found.state, found.position) == (JobState.ACCEPTED, None)
    for call in (lambda: store.create(new_job()), store.health):
        with pytest.raises(JobStoreUnavailable, match="being changed"):
            call()
    monkeypatch.setattr(connection, "RIGHTS_CHANGE_SECONDS", 0.0)
    with pytest.raises(JobStoreUnusable, match="lacks rights"):
        store.create(new_job())
    with pytest.raises(JobStoreUnusable, match="may not"):
        store.health()
    monkeypatch.undo()
    as_user(server, "~parley:*")
    assert store.create(new_job()).job


def test_an_access_list_without_a_new_key_is_named_at_once(server: Valkey) -> None:
    keys = ("~parley:job:*", "~parley:events:*", "~parley:probe", "~parley:stored_bytes", "~interactive", "~batch")
    with pytest.raises(JobStoreUnusable, match=r"may not .*write parley:order:batch"):
        as_user(server, *keys, "&parley:*", "+@all").health()


def test_the_rights_that_the_documentation_names_are_enough(server: Valkey) -> None:
    rules = ("~parley:*", "~interactive", "~batch", "&parley:changed", "+@all", "-@dangerous", "+info")
    store = as_user(server, *rules)
    store.health()
    lease = started(store, store.create(new_job()).job)
    assert store.succeed(lease, RESULT).state is JobState.SUCCEEDED
    assert store.lapsed_leases(1) == []


def test_a_wrong_password_is_an_error_that_cannot_heal(server: Valkey) -> None:
    as_user(server, "+@all")
    store = RedisJobStore.from_settings(Settings(redis_url=server.url.replace("unix://", "unix://parley:wrong@")))
    for call in (store.health, store.stats, lambda: store.create(new_job())):
        with pytest.raises(JobStoreUnusable, match="password"):
            call()


@pytest.fixture(params=["without-slots", "with-slots"])
def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Valkey]:
    server = Valkey(tmp_path / "cluster", "--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    try:
        server.start()
        if request.param == "with-slots":
            client: Any = server.client()
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            until(lambda: "cluster_state:ok" in str(client.execute_command("CLUSTER INFO")).replace("': '", ":"))
        yield server
    finally:
        server.stop()


def test_a_cluster_is_an_error_that_cannot_heal(cluster: Valkey) -> None:
    store = RedisJobStore.from_settings(Settings(redis_url=cluster.url))
    for call in (store.health, lambda: store.create(new_job())):
        with pytest.raises(JobStoreUnusable, match="cluster mode"):
            call()


@pytest.mark.parametrize("module", ["parley_api", "parley_keeper", "parley_worker"])
def test_a_process_refuses_to_start_on_what_cannot_heal(module: str, server: Valkey, tmp_path: Path) -> None:
    server.client().execute_command("ACL", "SETUSER", "default", ">secret")
    settings = Settings(redis_url=server.url, objects_url=f"file://{tmp_path}/objects")
    process = ParleyProcess(module, settings, tmp_path, PARLEY_PORT=free_port())
    assert process.process.wait(HANG_SECONDS) == 2
    (refusal,) = process.events("refused to start")
    assert refusal["reason"] == "Redis refuses the user or the password of PARLEY_REDIS_URL."


def test_a_process_starts_while_redis_is_away(server: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    assert redis.START_SECONDS == 2
    monkeypatch.setattr(redis, "START_SECONDS", 0.3)
    settings = Settings(redis_url=server.url, redis_timeout_seconds=3600)
    server.pause()
    require_usable_store(settings)
    server.kill()
    require_usable_store(settings)


def started(store: RedisJobStore, job: Job) -> Lease:
    begun = store.start_attempt(job.id, "w/1", 30)
    assert begun is not None
    return begun[1]


def take_snapshot(server: Valkey) -> dict[bytes, bytes]:
    client: Any = Redis.from_url(server.url)
    return {key: client.dump(key) for key in client.scan_iter()}


def lose_newest_writes(server: Valkey, snapshot: dict[bytes, bytes]) -> None:
    client: Any = Redis.from_url(server.url)
    client.flushall()
    for key, value in snapshot.items():
        client.restore(key, 0, value)


def test_a_refused_attempt_leaves_the_committed_result_of_the_same_token_alone(
    server: Valkey, store: RedisJobStore
) -> None:
    """Redis loses the start of an attempt and gives its token out again: two workers work under token 1."""
    fixture = AttemptFixture()
    deps = replace(fixture.deps, store=store)
    new = new_job(seconds=1.0)
    fixture.recordings.objects[new.recording.key] = b"sound"
    store.create(new)
    before = take_snapshot(server)

    def overtake(_: Report) -> None:
        lose_newest_writes(server, before)
        assert run_attempt(new.id, deps) is Outcome.SUCCEEDED

    slow = deps.settings.model_copy(update={"lease_renewal_seconds": 9})
    first = replace(deps, settings=slow, engine=lambda: CallingEngine(overtake))
    assert run_attempt(new.id, first) is Outcome.ENDED
    job = store.get(new.id)
    assert (job.state, job.token) == (JobState.SUCCEEDED, 1)
    assert job.result is not None
    assert fixture.results() == [job.result.key]


def test_nobody_is_reaped_right_after_a_restart(server: Valkey) -> None:
    store = RedisJobStore.from_settings(Settings(redis_url=server.url, lease_seconds=60))
    job = store.create(new_job()).job
    store.start_attempt(job.id, "worker-1", 0.05)
    server.kill()
    time.sleep(0.1)
    server.start()
    assert store.lapsed_leases(10) == []


def test_one_call_without_a_reply_finds_all_connections_that_the_network_has_lost(tmp_path: Path) -> None:
    target, port = free_port(), free_port()
    server, network = Valkey(tmp_path / "valkey", "--port", str(target)), Network(port, target)
    server.start()
    try:
        settings = Settings(redis_url=f"redis://127.0.0.1:{port}/0", redis_timeout_seconds=0.5)
        store = RedisJobStore.from_settings(settings)
        until(lambda: _answers(store))
        pool = store._client.connection_pool
        for used in [pool.get_connection() for _ in range(3)]:
            pool.release(used)
        network.send("half-open")
        until(lambda: not _answers(store))
        pool.get_connection()  # that of the call, which the pool would give again
        assert _answers(store)
    finally:
        network.stop()
        server.kill()


def _answers(store: RedisJobStore) -> bool:
    with suppress(JobStoreUnavailable):
        store.running_by_worker()
        return True
    return False
