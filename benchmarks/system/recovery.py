"""What the object store as the truth costs: a submit with its manifest, a rebuilt record, and a backlog to record."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from rich.console import Console

from benchmarks.measure import Measure
from chaos.control import VARIABLE, ActiveFaults, Control
from parley_core.durable_job_store import DurableJobStore
from parley_core.job import JobOptions, NewJob, TimeLimits
from parley_core.job_id import new_id
from parley_core.recording import Recording, recording_key
from parley_core.settings import Settings
from parley_core.storage.objects import object_store
from parley_keeper.health import STUCK_SECONDS
from parley_keeper.reconciliation import BEGINNING, Reconciler
from tests.support.valkey import Valkey

REBUILT = 10_000
SUBMITS = 300
BACKLOG = int(os.environ.get("PARLEY_BENCH_BACKLOG", "100000"))
READ_SECONDS = 0.02  # of each call to the object store


def recovery_rows(console: Console) -> list[Measure]:
    """Measure on a Valkey of its own and a folder as object store."""
    with _stores() as (server, settings):
        return [
            _manifest(settings, console),
            *_rebuild(server, settings, console),
            *_backlog(server, settings, console),
        ]


@contextmanager
def _stores() -> Iterator[tuple[Valkey, Settings]]:
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        server = Valkey(Path(folder) / "valkey", "--appendfsync", "everysec")
        server.start()
        try:
            yield server, Settings(redis_url=server.url, objects_url=f"file://{folder}/objects", queue_limit=1_000_000)
        finally:
            server.kill()


def _new_job() -> NewJob:
    job_id = new_id()
    recording = Recording(recording_key(job_id), "ab" * 32, 12_345_678, 600.25, "audio/flac")
    return NewJob(job_id, "default", recording, JobOptions(reference=job_id), TimeLimits(540.0, 600.0))


def _manifest(settings: Settings, console: Console) -> Measure:
    console.print(f"bench: {SUBMITS} jobs recorded with their manifest and without, by turns")
    store = DurableJobStore.from_settings(settings)
    times: dict[str, list[float]] = {"with": [], "without": []}
    for _ in range(SUBMITS):
        for how, create in (("with", store.create), ("without", store.index.create)):
            began = time.perf_counter()
            create(_new_job())
            times[how].append((time.perf_counter() - began) * 1000)
    p50 = {how: statistics.median(taken) for how, taken in times.items()}
    note = f"p50 {p50['with']:.2f} ms with, {p50['without']:.2f} ms without"
    return Measure("submit: what the manifest adds, p50", p50["with"] - p50["without"], "ms", 5, note=note)


def _rebuild(server: Valkey, settings: Settings, console: Console) -> list[Measure]:
    console.print(f"bench: {REBUILT} jobs rebuilt in an empty Redis")
    store = DurableJobStore.from_settings(settings)
    for number in range(REBUILT):
        new = _new_job()
        store.manifests.accept(new, None)
        if number % 2:
            store.index.create(new)
            store.cancel(new.id)
    server.client().flushall()
    process = psutil.Process()
    before, began = process.memory_info().rss, time.monotonic()
    found = Reconciler(store).reconcile(BEGINNING, lambda: None)
    seconds = time.monotonic() - began
    grown = (process.memory_info().rss - before) / 1e6
    note = f"{found.restored} restored, half of them ended"
    return [
        Measure("record rebuilt from manifests", seconds * REBUILT / found.restored, "s", 60, note=note),
        Measure("memory that the rebuild adds", grown, "MB", 20),
    ]


def _backlog(server: Valkey, settings: Settings, console: Console) -> list[Measure]:
    """A real keeper records jobs that were accepted without Redis, every call to the object store taking 20 ms."""
    console.print(f"bench: {BACKLOG} accepted jobs without a record, {READ_SECONDS * 1000:.0f} ms a call")
    server.client().flushall()
    objects = object_store(settings)
    manifests = DurableJobStore.from_settings(settings, objects).manifests
    for _ in range(BACKLOG):
        new = _new_job()
        manifests.accept(new, None)
        manifests.mark_unrecorded(new.id)
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        alive, oldest = Path(folder) / "alive", 0.0
        control = Control(Path(folder) / "control.json")
        control.set(ActiveFaults(object_delay_seconds=READ_SECONDS))
        environment = os.environ | {
            "PARLEY_REDIS_URL": server.url,
            "PARLEY_OBJECTS_URL": settings.objects_url,
            "PARLEY_LIVENESS_FILE": str(alive),
            "FAULTS_OBJECTS": "on",
            VARIABLE: str(Path(folder) / "control.json"),
        }
        command = [sys.executable, "-m", "chaos.launch", "parley_keeper"]
        began = time.monotonic()
        with (Path(folder) / "keeper.log").open("wb") as log:
            keeper = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            while next(manifests.unrecorded(), None) is not None and keeper.poll() is None:
                time.sleep(1)
                if alive.exists():
                    oldest = max(oldest, time.time() - alive.stat().st_mtime)
            seconds = time.monotonic() - began
            left = sum(1 for _ in manifests.unrecorded())
        finally:
            keeper.kill()
            keeper.wait()
    return [
        Measure("backlog of accepted jobs: not recorded", left, "jobs", 0, note=f"{BACKLOG} in {seconds:.0f} s"),
        Measure("backlog: longest age of the keeper's liveness file", oldest, "s", STUCK_SECONDS / 2),
    ]
