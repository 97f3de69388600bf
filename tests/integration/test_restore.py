"""A Redis that has lost everything is brought back by hand, and by another cluster on the same object store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from parley_core.durable_job_store import DurableJobStore
from parley_core.job import JobState, ResultSummary
from parley_core.recording import result_key
from parley_core.settings import Settings
from parley_keeper.reconciliation import Reconciler
from tests.support.fakes import new_job
from tests.support.valkey import Valkey

JOBS = 50


def parley(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PARLEY_REDIS_URL": settings.redis_url.get_secret_value(),
        "PARLEY_OBJECTS_URL": settings.objects_url,
    }
    command = [sys.executable, "-m", "parley", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_everything_is_restored_and_a_second_run_changes_nothing(tmp_path: Path) -> None:
    server = Valkey(tmp_path / "valkey")
    server.start()
    settings = Settings(redis_url=server.url, objects_url=f"file://{tmp_path}/objects")
    store = DurableJobStore.from_settings(settings)
    jobs = [store.create(new_job()).job.id for _ in range(JOBS)]
    for job_id in jobs[: JOBS // 2]:
        store.cancel(job_id)
    started = store.start_attempt(jobs[-1], "host/1", 60)
    assert started is not None
    key = result_key(jobs[-1], started[1].nonce)
    store.succeed(started[1], ResultSummary(key, 2, 3, 1.0, {"name": "x"}, {}))
    store.manifests.note_words_request(jobs[-1], 1)
    try:
        server.wipe()
        server.start()
        done = parley(settings, "restore", "--json")
        assert done.returncode == 0, done.stderr
        counts = {"looked_at": JOBS, "restored": JOBS, "corrected": 0, "unreadable": 0, "words_requests": 1}
        assert json.loads(done.stdout) == counts
        states = [store.index.get(job_id).state for job_id in jobs]
        assert states == [
            *[JobState.CANCELLED] * (JOBS // 2),
            *[JobState.ACCEPTED] * (JOBS // 2 - 1),
            JobState.SUCCEEDED,
        ]
        assert store.index.get(jobs[-1]).words_request is not None
        assert "RESTORED" in parley(settings, "restore").stdout
        assert json.loads(parley(settings, "restore", "--json").stdout)["restored"] == 0
    finally:
        server.kill()


def evict(client: Any, keys: list[str]) -> None:
    """Let Redis evict some of these keys. It prefers keys that expire soon under this policy, so others stay."""
    for key in keys:
        client.expire(key, 3600)
    client.config_set("maxmemory-policy", "volatile-ttl")
    client.config_set("maxmemory", client.info("memory")["used_memory"] - 10_000)
    client.set("anything", "")
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", 0)
    assert client.exists(*keys) < len(keys)


def test_jobs_that_redis_evicted_are_restored_once_it_evicts_no_more(tmp_path: Path) -> None:
    server = Valkey(tmp_path / "valkey")
    server.start()
    client: Any = server.client()
    store = DurableJobStore.from_settings(Settings(redis_url=server.url, objects_url=f"file://{tmp_path}/objects"))
    reconciler = Reconciler(store)
    try:
        ended, *waiting = [store.create(new_job()).job.id for _ in range(JOBS)]
        store.cancel(ended)
        reconciler.run_once(lambda: None)
        evict(client, [f"parley:job:{job_id}" for job_id in waiting])
        assert reconciler.run_once(lambda: None) > 0
        assert {store.index.get(job_id).state for job_id in waiting} == {JobState.ACCEPTED}
        assert store.index.get(ended).state is JobState.CANCELLED
        taken = []
        while claimed := store.claim_due(2 * JOBS):
            taken += [store.cancel(dispatch.job_id).id for dispatch in claimed]  # the next one has its turn
        assert sorted(taken) == waiting
        before = reconciler.reconciliations
        reconciler.run_once(lambda: None)
        assert reconciler.reconciliations == before, "nothing was evicted since"
    finally:
        server.kill()


def test_without_redis_the_command_says_so(tmp_path: Path) -> None:
    settings = Settings(redis_url=f"unix://{tmp_path}/none", objects_url=f"file://{tmp_path}/objects")
    done = parley(settings, "restore", "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (4, "job_store_unavailable")


def test_an_empty_object_store_restores_nothing(tmp_path: Path) -> None:
    server = Valkey(tmp_path / "valkey")
    server.start()
    try:
        settings = Settings(redis_url=server.url, objects_url=f"file://{tmp_path}/objects")
        assert json.loads(parley(settings, "restore", "--json").stdout)["looked_at"] == 0
    finally:
        server.kill()
