"""A planned failover behind one name: the old primary lives on as a replica, and connections to it stay open."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from parley_core.job import Failure, JobState, Phase, RetryIn
from parley_core.redis import RedisJobStore
from parley_core.settings import Settings
from tests.support.api_process import ApiProcess, free_port
from tests.support.fakes import new_job
from tests.support.proxy import TcpProxy
from tests.support.sounds import wav
from tests.support.valkey import Valkey
from tests.support.waiting import seconds_of, until
from tests.support.worker import System, running_system

RUNS_AGAIN_SECONDS = 10  # what the failover may cost, beside what this machine needs for a start and four jobs


@dataclass
class Pair:
    """Two servers behind one address, which leads to the primary unless `leads_late`."""

    servers: tuple[Valkey, Valkey]
    ports: tuple[int, int]
    proxy: TcpProxy
    primary: int = 0

    def fail_over(self, lead_after: float = 0.0) -> None:
        """Swap the roles without losing a write; the name follows some seconds later."""
        old, new = self.primary, 1 - self.primary
        client = self.servers[old].client()
        client.execute_command("FAILOVER", "TO", "127.0.0.1", self.ports[new])
        until(lambda: self.servers[new].client().info("replication")["role"] == "master")  # type: ignore[union-attr]
        time.sleep(lead_after)
        self.primary, self.proxy.target = new, self.ports[new]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    ports = (free_port(), free_port())
    servers = tuple(
        Valkey(tmp_path / f"valkey-{port}", "--port", str(port), "--repl-diskless-sync-delay", "0") for port in ports
    )
    for server in servers:
        server.start()
    servers[1].follow(ports[0])
    with TcpProxy(ports[0]) as proxy:
        yield Pair((servers[0], servers[1]), ports, proxy)
    for server in servers:
        server.stop()


@pytest.fixture
def system(pair: Pair, tmp_path: Path) -> Iterator[System]:
    settings = Settings(
        redis_url=pair.proxy.url,
        objects_url=f"file://{tmp_path}/objects",
        lease_seconds=6,
        lease_renewal_seconds=0.5,
        redis_timeout_seconds=2,
    )
    with running_system(settings, tmp_path) as system:
        yield system


def submit(api: ApiProcess) -> str:
    answer = api.http.post("/v1/jobs", content=wav(seconds=1.0), headers={"Content-Type": "audio/wav"})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def run_four(api: ApiProcess) -> list[str]:
    """Submit four jobs and wait for their success; return their ids."""
    jobs = [submit(api) for _ in range(4)]
    for job_id in jobs:
        until(lambda job_id=job_id: state(api, job_id) == "succeeded")  # type: ignore[misc]
    return jobs


def state(api: ApiProcess, job_id: str) -> str:
    """Return the state of a job; empty while the API has no Redis to ask."""
    answer = api.http.get(f"/v1/jobs/{job_id}")
    return "" if answer.status_code == 503 else str(answer.json()["state"])


@pytest.mark.parametrize("lead_after", [0.0, 4.0], ids=["at-once", "name-follows-late"])
def test_submits_run_again_soon_after_a_planned_failover(
    pair: Pair, system: System, tmp_path: Path, lead_after: float
) -> None:
    with ApiProcess(system.settings, tmp_path / "api.log") as api:
        keeper = system.keeper()
        worker = system.worker(PARLEY_SCRIPTED_SECONDS=0.5)
        start = seconds_of(lambda: run_four(api))
        running = [submit(api) for _ in range(4)]
        pair.fail_over(lead_after)
        began = time.monotonic()
        after = run_four(api)
        for job_id in running:
            until(lambda job_id=job_id: state(api, job_id) == "succeeded")  # type: ignore[misc]
        assert time.monotonic() - began < RUNS_AGAIN_SECONDS + start
        assert api.http.get("/readyz").status_code == 200
        store = RedisJobStore.from_settings(system.settings)
        attempts = {job_id: len(store.get(job_id).attempts) for job_id in [*running, *after]}
        assert set(attempts.values()) == {1}
    assert worker.process.poll() is None
    assert keeper.process.poll() is None


def test_no_live_worker_is_reaped_after_a_failover_longer_than_a_lease(pair: Pair, tmp_path: Path) -> None:
    """Renewals are not replicated: on the promoted server every lease looks lapsed until its worker renews it."""
    settings = Settings(redis_url=pair.proxy.url, lease_seconds=1, lease_renewal_seconds=0.2, redis_timeout_seconds=2)
    store = RedisJobStore.from_settings(settings)
    jobs = [store.create(new_job()).job for _ in range(3)]
    leases = [started[1] for job in jobs if (started := store.start_attempt(job.id, "w/1", 1)) is not None]
    assert store.lapsed_leases(10) == []
    time.sleep(1.5)  # the grace on the first server is over, and the leases have lapsed
    for lease in leases:
        store.renew(lease, 1, Phase.EMBEDDING, 0.5)
    assert store.lapsed_leases(10) == []
    pair.fail_over()
    time.sleep(1.2)
    assert store.lapsed_leases(10) == [], "nobody has had a whole lease on the promoted server"
    for lease in leases[1:]:
        store.renew(lease, 60, Phase.EMBEDDING, 0.6)
    lapsed = until(lambda: store.lapsed_leases(10))
    assert [found.lease for found in lapsed] == leases[:1], "its worker has fallen silent"
    assert store.fail_attempt(lapsed[0].lease, Failure("worker_lost", "silent"), RetryIn(0)).state is JobState.QUEUED


def test_a_publisher_follows_the_primary_with_its_next_message(pair: Pair, system: System) -> None:
    job = system.store.create(system.upload()).job
    system.publish(job)
    pair.fail_over()
    system.publish(job)
    assert system.queue.waiting()[job.options.queue] == 2


def test_a_demoted_primary_is_left_by_every_idle_connection(pair: Pair, system: System) -> None:
    store = system.store
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: store.create(new_job()), range(8)))
    pair.fail_over()
    store.create(new_job())
    old: Any = pair.servers[1 - pair.primary].client()
    assert [client for client in old.client_list() if client["cmd"] == "evalsha"] == []
