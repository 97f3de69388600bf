"""A real worker whose Redis dies, freezes, cuts every connection or is full: the work goes on and is committed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from redis.exceptions import OutOfMemoryError

from parley_core.job import JobState
from parley_core.recording import result_folder
from parley_core.settings import Settings
from parley_worker.celery.broker import RECONNECT_SECONDS
from tests.support.valkey import Valkey
from tests.support.waiting import seconds_of, until
from tests.support.worker import System, running_system

GATED = "tests.support.engines:Gated"
LEASE, RENEWAL = 3.0, 0.5  # seconds
TWO_RENEWALS = 2 * RENEWAL  # long enough for leases to be renewed on new connections
OUTAGE = LEASE + 2
LONG_OUTAGE = 8.0  # seconds: Celery's own pauses, 2, 4 and 6 s, would make the worker 4 s late
ROOM = 200_000  # bytes below what is used already: nothing that needs memory is let through


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Valkey]:
    server = Valkey(tmp_path / "valkey")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def system(server: Valkey, tmp_path: Path) -> Iterator[System]:
    settings = Settings(
        redis_url=server.url,
        objects_url=f"file://{tmp_path}/objects",
        lease_seconds=LEASE,
        lease_renewal_seconds=RENEWAL,
        redis_timeout_seconds=2,
    )
    with running_system(settings, tmp_path) as system:
        yield system


def cut_all_connections(server: Valkey, meanwhile: Callable[[], None]) -> None:
    client = server.client()
    client.client_kill_filter(skipme=True)
    client.close()
    time.sleep(TWO_RENEWALS)
    meanwhile()


def restart(server: Valkey, meanwhile: Callable[[], None], seconds: float = OUTAGE) -> None:
    server.kill()
    meanwhile()
    time.sleep(seconds)
    server.start()


def freeze(server: Valkey, meanwhile: Callable[[], None]) -> None:
    server.pause()
    meanwhile()
    time.sleep(OUTAGE)
    server.resume()


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(cut_all_connections, id="connections-cut"),
        pytest.param(restart, id="killed-for-longer-than-a-lease"),
        pytest.param(freeze, id="frozen-for-longer-than-a-lease"),
    ],
)
def test_running_and_waiting_jobs_end_once_whatever_befalls_redis(
    system: System, server: Valkey, trouble: Callable[[Valkey, Callable[[], None]], None]
) -> None:
    worker = system.worker(GATED)
    running, waiting = [system.submit() for _ in range(2)], [system.submit() for _ in range(3)]
    for job_id in running:
        system.wait(job_id, lambda job: job.state is JobState.RUNNING)
    trouble(server, system.let_engines_end)
    for job_id in [*running, *waiting]:
        job = system.wait_for_end(job_id)
        assert (job.state, len(job.attempts)) == (JobState.SUCCEEDED, 1)
        assert system.results(job_id) == [f"{result_folder(job_id)}/{job.nonce}.json"]
    assert worker.process.poll() is None


def test_a_worker_that_waits_for_messages_beside_a_job_outlives_its_redis(system: System, server: Valkey) -> None:
    worker = system.worker(GATED, PARLEY_CONCURRENCY=2)
    job_id = system.submit()
    system.wait(job_id, lambda job: job.state is JobState.RUNNING)
    for _ in range(4):  # which of its sockets fails first is chance
        restart(server, lambda: None, seconds=0.2)
        until(lambda: waits_for_messages(server))
    system.let_engines_end()
    job = system.wait_for_end(job_id)
    assert (job.state, len(job.attempts)) == (JobState.SUCCEEDED, 1)
    assert worker.process.poll() is None


def waits_for_messages(server: Valkey) -> bool:
    """Say whether a client, which only the worker can be, waits in BRPOP."""
    with closing(server.client()) as client:
        return bool(client.info("clients")["blocked_clients"])


def test_the_worker_is_back_soon_after_a_redis_that_was_away_for_long(system: System, server: Valkey) -> None:
    def do_a_job() -> None:
        assert system.wait_for_end(system.submit()).state is JobState.SUCCEEDED

    system.worker(PARLEY_SCRIPTED_SECONDS=0.1)
    start = seconds_of(do_a_job)
    restart(server, lambda: None, LONG_OUTAGE)
    assert seconds_of(do_a_job) < RECONNECT_SECONDS + start


def fill(server: Valkey) -> None:
    client = server.client()
    client.config_set("maxmemory", client.info("memory")["used_memory"] - ROOM)
    with pytest.raises(OutOfMemoryError):
        client.set("more", "x")


def test_a_worker_whose_redis_is_full_finishes_and_goes_on(system: System, server: Valkey) -> None:
    worker = system.worker(GATED, PARLEY_CONCURRENCY=1)
    jobs = [system.submit() for _ in range(3)]
    system.wait(jobs[0], lambda job: job.state is JobState.RUNNING)
    fill(server)
    system.let_engines_end()
    for job_id in jobs:
        job = system.wait_for_end(job_id)
        assert (job.state, len(job.attempts)) == (JobState.SUCCEEDED, 1)
    server.client().config_set("maxmemory", 0)
    assert system.wait_for_end(system.submit()).state is JobState.SUCCEEDED
    assert worker.process.poll() is None
    until(lambda: server.client().hlen("unacked") == 0, what="a finished message is still kept as unacknowledged")


def test_a_worker_starts_on_a_full_redis(system: System, server: Valkey) -> None:
    job_id = system.submit()
    fill(server)
    system.worker(PARLEY_CONCURRENCY=1)
    assert system.wait_for_end(job_id).state is JobState.SUCCEEDED


def test_messages_that_are_no_jobs_are_dropped_and_counted_and_the_worker_goes_on(
    system: System, server: Valkey
) -> None:
    foreign = ["no JSON", "7", '{"headers": {}, "properties": {}, "body": ""}', '{"__type__": "decimal"}']
    with closing(server.client()) as client:
        client.lpush("interactive", *foreign)
        client.hset("unacked", "tag", "no JSON")
        client.zadd("unacked_index", {"tag": 0})
    worker = system.worker(PARLEY_CONCURRENCY=1, PARLEY_SCRIPTED_SECONDS=0.1)
    assert system.wait_for_end(system.submit()).state is JobState.SUCCEEDED
    assert system.store.stats().counters["messages_dropped"] == len(foreign)
    until(lambda: server.client().hlen("unacked") == 0)
    assert worker.process.poll() is None
