"""What a start costs: time to the first job of a worker, and processor time of API and keeper until they are ready.

The first is the delay of a pod that scales from zero. The second is what its startup probe has to allow for where a
pod gets just the CPU that it asks for.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from rich.console import Console

from benchmarks.data.audio import flac
from benchmarks.measure import Measure
from parley_core.celery_queue import CeleryJobQueue
from parley_core.job import JobState, dispatch_of
from parley_core.redis import RedisJobStore
from parley_core.settings import Settings
from parley_core.storage.objects import object_store
from tests.support.api_process import ApiProcess
from tests.support.fakes import new_job
from tests.support.valkey import Valkey
from tests.support.worker import running_system

STARTS = 5


def start_rows(console: Console) -> list[Measure]:
    """Start a worker while a job waits, three times; start an API and a keeper five times."""
    console.print("bench: worker process start to first job taken, 3 times; starts of API and keeper, 5 times")
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as home:
        server = Valkey(Path(home) / "valkey")
        server.start()
        try:
            settings = Settings(redis_url=server.url, objects_url=f"file://{home}/objects")
            times = [_start_once(settings) for _ in range(3)]
            of_api = [_of_api(settings, Path(home)) for _ in range(STARTS)]
            of_keeper = [_of_keeper(settings, Path(home)) for _ in range(STARTS)]
        finally:
            server.stop()
    median = statistics.median
    return [
        Measure("worker process start to first job taken", median(times), "s", 3, note="median of 3"),
        Measure("API: processor time until it answers", median(of_api), "s", 1, note=f"median of {STARTS}"),
        Measure("keeper: processor time until it is ready", median(of_keeper), "s", 1, note=f"median of {STARTS}"),
    ]


def _of_api(settings: Settings, folder: Path) -> float:
    with ApiProcess(settings, folder / "api.log") as api:
        return _processor_seconds(api.running.pid)


def _of_keeper(settings: Settings, folder: Path) -> float:
    with running_system(settings, folder) as system:
        keeper = system.keeper()
        keeper.wait_until_ready()
        return _processor_seconds(keeper.process.pid)


def _processor_seconds(pid: int) -> float:
    """Return the processor time of a process and of the processes that it has started."""
    process = psutil.Process(pid)
    return sum(sum(one.cpu_times()[:2]) for one in (process, *process.children(recursive=True)))


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
