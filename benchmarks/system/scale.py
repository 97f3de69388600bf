"""A million jobs a day: a steady load with a scripted engine, and what many jobs cost the parts that look at them.

`PARLEY_BENCH_MINUTES` sets the length of the steady load (20 for a full run; 3 by default).
"""

from __future__ import annotations

import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
from redis import Redis
from rich.console import Console

from benchmarks.data.audio import flac
from benchmarks.measure import Measure
from benchmarks.system.one_machine import System, one_machine
from parley_core.durable_job_store import DurableJobStore
from parley_core.job import JobEnd, JobOptions, JobState, NewJob, TimeLimits
from parley_core.job_id import new_id
from parley_core.ports import RecordingStore
from parley_core.recording import Recording, recording_key
from parley_core.settings import Settings
from parley_core.storage.objects import object_store
from parley_keeper.retention import purge_expired
from parley_local.valkey import socket_path
from tests.support.api_process import ApiProcess
from tests.support.valkey import Valkey

STEADY_RATE, PEAK_RATE = 12, 60  # jobs a second; a day of the first is 1,036,800
MINUTES = float(os.environ.get("PARLEY_BENCH_MINUTES", "3"))
PEAK_SECONDS = 60
RETAIN_SECONDS = "30"
MANY = 200_000  # jobs in the record while it is scraped
PURGED = 4_000
SCRAPES = 20
SENDERS = 32


def scale_rows(console: Console) -> list[Measure]:
    """Measure the load on a system as `make run` starts it, the rest on stores of their own."""
    return [*_load(console), *_many_jobs(console), _purge(console)]


def _load(console: Console) -> list[Measure]:
    engine = {
        "PARLEY_ENGINE": "parley_worker.engines.scripted:scripted_engine",
        "PARLEY_SCRIPTED_SECONDS": "0.01",
        "PARLEY_RETAIN_SECONDS": RETAIN_SECONDS,
        "PARLEY_QUEUE_LIMIT": "100000",
    }
    with (
        tempfile.TemporaryDirectory(prefix="parley-bench-") as home,
        one_machine(**engine, PARLEY_HOME=home) as system,
    ):
        redis = Redis.from_url(f"unix://{socket_path(Path(home))}")
        _send(system, STEADY_RATE, 2 * float(RETAIN_SECONDS), console)
        before = _used(redis)
        steady = _send(system, STEADY_RATE, MINUTES * 60, console)
        grown = (_used(redis) / before - 1) * 100
        peak = _send(system, PEAK_RATE, PEAK_SECONDS, console)
    return [
        _measure(steady, STEADY_RATE, MINUTES * 60),
        _measure(peak, PEAK_RATE, PEAK_SECONDS),
        Measure(
            f"Redis memory, growth over {MINUTES:g} min at {STEADY_RATE}/s",
            grown,
            "%",
            5,
            note="without the ids of purged jobs, which stay an hour",
        ),
    ]


def _used(redis: Any) -> int:
    """Return the bytes that Redis uses, without tombstones: their number grows for an hour, longer than this load."""
    tombstones = sum(redis.memory_usage(key) or 0 for key in redis.scan_iter("parley:purged:*", count=1000))
    return int(redis.info("memory")["used_memory"]) - tombstones


@dataclass(frozen=True, slots=True)
class _Load:
    """A load that was sent.

    Attributes:
        milliseconds: of each submit, counted from when it was due.
        busy: share of the processors' time that was used, by whatever runs here.
        own: share of it that this system and its load used.
    """

    milliseconds: list[float]
    busy: float
    own: float


def _send(system: System, rate: float, seconds: float, console: Console) -> _Load:
    """Submit at a steady rate."""
    console.print(f"bench: {rate} jobs a second for {seconds:.0f} s")
    recording, began = flac(1), time.monotonic()

    def submit(number: int) -> float:
        due = began + number / rate
        time.sleep(max(0.0, due - time.monotonic()))
        system.submit(recording)
        return (time.monotonic() - due) * 1000

    before, own = psutil.cpu_times(), _cpu_seconds(system)
    with ThreadPoolExecutor(SENDERS) as threads:
        times = list(threads.map(submit, range(round(rate * seconds))))
    after = psutil.cpu_times()
    seconds_of_all = sum(after) - sum(before)
    busy = 1 - (after.idle - before.idle) / seconds_of_all
    return _Load(times, busy, (_cpu_seconds(system) - own) / seconds_of_all)


def _cpu_seconds(system: System) -> float:
    """Return the processor seconds of this process and of the system, with those of its children that have ended."""
    total = 0.0
    for process in (psutil.Process(), *system.root.children(recursive=True)):
        with suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def _measure(load: _Load, rate: int, seconds: float) -> Measure:
    median, p99 = (statistics.quantiles(load.milliseconds, n=100)[place] for place in (49, -1))
    note = f"p50 {median:.0f} ms, {len(load.milliseconds)} in {seconds:.0f} s; processors {load.busy:.0%} busy"
    return Measure(f"submit at {rate}/s, p99", p99, "ms", 100, note=f"{note}, {load.own:.0%} by this")


@contextmanager
def _store() -> Iterator[tuple[DurableJobStore, Settings, Path]]:
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        server = Valkey(Path(folder) / "valkey", "--appendfsync", "everysec")
        server.start()
        try:
            settings = Settings(redis_url=server.url, objects_url=f"file://{folder}/objects", queue_limit=1_000_000)
            yield DurableJobStore.from_settings(settings), settings, Path(folder)
        finally:
            server.kill()


def _fill(store: DurableJobStore, number: int, finished_at: datetime, objects: RecordingStore | None = None) -> None:
    """Bring ended jobs into the record, with all that belongs to them in `objects`."""
    end = JobEnd(JobState.CANCELLED, finished_at)
    for _ in range(number):
        job_id = new_id()
        recording = Recording(recording_key(job_id), "ab" * 32, 1, 600.25, "audio/flac")
        new = NewJob(job_id, "default", recording, JobOptions(reference=job_id), TimeLimits(540.0, 600.0))
        if objects is not None:
            store.manifests.accept(new, None)
            store.manifests.end(job_id, 0, end)
            objects.put(recording.key, b"x")
        store.index.restore(new, finished_at, 0, end)


def _many_jobs(console: Console) -> list[Measure]:
    console.print(f"bench: scrapes of a record of {MANY} jobs")
    with _store() as (store, settings, folder):
        half = MANY // 2
        threads = [threading.Thread(target=_fill, args=(store, half, datetime.now(UTC))) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with ApiProcess(settings, folder / "api.log") as api:
            times = [_scrape_ms(api) for _ in range(SCRAPES)]
    return [Measure(f"scrape of /metrics among {MANY} jobs, p50", statistics.median(times), "ms", 50)]


def _scrape_ms(api: ApiProcess) -> float:
    began = time.perf_counter()
    httpx.get(f"{api.url}/metrics", timeout=60).raise_for_status()
    return (time.perf_counter() - began) * 1000


def _purge(console: Console) -> Measure:
    console.print(f"bench: {PURGED} jobs whose retention is over")
    with _store() as (store, settings, _):
        _fill(store, PURGED, datetime.now(UTC) - timedelta(days=30), object_store(settings))
        began = time.monotonic()
        purged = purge_expired(store, lambda: None)
        rate = purged / (time.monotonic() - began)
    return Measure("retention: jobs purged per second, one keeper", rate, "1/s", 2000, at_least=True)
