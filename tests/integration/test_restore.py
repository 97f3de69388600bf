"""A Redis that has lost everything is brought back by hand, and by another cluster on the same object store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from parley_core.durable_job_store import DurableJobStore
from parley_core.job import JobState
from parley_core.settings import Settings
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
    try:
        server.wipe()
        server.start()
        done = parley(settings, "restore", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {"looked_at": JOBS, "restored": JOBS, "corrected": 0, "unreadable": 0}
        states = [store.index.get(job_id).state for job_id in jobs]
        assert states == [JobState.CANCELLED] * (JOBS // 2) + [JobState.ACCEPTED] * (JOBS // 2)
        assert "RESTORED" in parley(settings, "restore").stdout
        assert json.loads(parley(settings, "restore", "--json").stdout)["restored"] == 0
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
