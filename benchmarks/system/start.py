"""Time from the start of a worker process to its first job: the delay of a pod that scales from zero."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from benchmarks.data.audio import flac
from benchmarks.measure import Measure
from parley_core.celery_queue import CeleryJobQueue
from parley_core.job import JobState, dispatch_of
from parley_core.redis import RedisJobStore
from parley_core.settings import Settings
from parley_core.storage.objects import object_store
from tests.support.fakes import new_job
from tests.support.valkey import Valkey


def start_rows(console: Console) -> list[Measure]:
    """Start a worker while a job waits, three times."""
    console.print("bench: worker process start to first job taken, 3 times")
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as home:
        server = Valkey(Path(home) / "valkey")
        server.start()
        try:
            settings = Settings(redis_url=server.url, objects_url=f"file://{home}/objects")
            times = [_start_once(settings) for _ in range(3)]
        finally:
            server.stop()
    return [Measure("worker process start to first job taken", statistics.median(times), "s", 3, note="median of 3")]


def _start_once(settings: Settings) -> float:
    store = RedisJobStore.from_settings(settings)
    new = new_job()
    object_store(settings).put(new.recording.key, flac(3))
    dispatch = dispatch_of(store.create(new).job)
    CeleryJobQueue.from_settings(settings).publish(dispatch)
    store.mark_queued(dispatch)
    environment = {
        **os.environ,
        "PARLEY_REDIS_URL": settings.redis_url.get_secret_value(),
        "PARLEY_OBJECTS_URL": settings.objects_url,
    }
    before = time.monotonic()
    quiet = subprocess.DEVNULL
    worker = subprocess.Popen([sys.executable, "-m", "parley_worker"], env=environment, stdout=quiet, stderr=quiet)
    try:
        while store.get(new.id).state in (JobState.ACCEPTED, JobState.QUEUED):
            time.sleep(0.005)
        taken = time.monotonic() - before
        while not store.get(new.id).state.terminal:
            time.sleep(0.05)
        return taken
    finally:
        worker.terminate()
        worker.wait(30)
