"""Latency, overhead and throughput of the whole system, as a user of its API sees them."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import psutil
from rich.console import Console

from benchmarks.data.audio import flac
from benchmarks.measure import Measure
from benchmarks.system.one_machine import System, one_machine

MEGABYTE = 1e6


def service_rows(console: Console) -> list[Measure]:
    """Measure latency, overhead and throughput of one system, and the memory of its worker."""
    with one_machine() as system:
        system.finished(system.submit(flac(10)))  # each pool child loads the models at its first job
        rows = [_latency(system, console), _overhead(system, console), _fifty_at_once(system, console)]
        return [*rows, _cancel_bound(system, console), _child_memory(system, console)]


def _latency(system: System, console: Console) -> Measure:
    console.print("bench: 30 submits to an idle system")
    clip = flac(3)
    waits = []
    for _ in range(30):
        before = time.time()
        job = system.finished(system.submit(clip))
        waits.append(_timestamp(job["started_at"]) - before)
        time.sleep(0.05)
    return Measure("idle system, submit to running, p50", statistics.median(waits) * 1000, "ms", 100)


def _overhead(system: System, console: Console) -> Measure:
    console.print("bench: three recordings of 3 minutes, one after the other")
    recording = flac(180)
    shares = []
    for _ in range(3):
        before = time.time()
        job = system.finished(system.submit(recording))
        whole = _timestamp(job["finished_at"]) - before
        shares.append(1 - job["result"]["timings"]["engine"] / whole)
    note = f"of {whole:.1f} s; median of 3"
    return Measure("everything but the engine, 3-minute recording", statistics.median(shares) * 100, "%", 5, note=note)


def _fifty_at_once(system: System, console: Console) -> Measure:
    console.print("bench: 50 submits at once")
    clip = flac(5)
    with ThreadPoolExecutor(50) as pool:
        ids = list(pool.map(lambda _: system.submit(clip), range(50)))
    jobs = [system.finished(job_id) for job_id in ids]
    right = sum(len(job["attempts"]) == 1 and job["result"] is not None for job in jobs)
    note = f"{len(set(ids))} different jobs, all succeeded, each with one attempt and one result"
    return Measure(
        "50 submits at once: jobs done exactly once", right if len(set(ids)) == 50 else 0, "jobs", 50, True, note
    )


def _cancel_bound(system: System, console: Console) -> Measure:
    console.print("bench: cancelling a busy engine, five times")
    recording = flac(600)
    times = []
    for _ in range(5):
        job_id = system.submit(recording)
        _wait_for(lambda job_id=job_id: system.job(job_id)["phase"] in ("segmentation", "embedding"))  # type: ignore[misc]
        time.sleep(0.5)
        before = time.monotonic()
        system.http.post(f"/v1/jobs/{job_id}/cancel").raise_for_status()
        _wait_for(lambda: _busy_share(system) < 0.2)
        times.append(time.monotonic() - before)
    return Measure("cancel until the processor is free, longest of 5", max(times), "s", 5)


def _busy_share(system: System) -> float:
    """Return the processor share of the worker's processes over a quarter of a second."""
    processes = system.processes("parley_worker")
    before = sum(_cpu_seconds(process) for process in processes)
    time.sleep(0.25)
    return (sum(_cpu_seconds(process) for process in processes) - before) / 0.25


def _cpu_seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def _child_memory(system: System, console: Console) -> Measure:
    console.print("bench: a recording of 30 minutes, watching the worker's memory")
    with _PeakMemory(lambda: system.processes("parley_worker")) as peak:
        system.finished(system.submit(flac(1800)))
    return Measure("peak memory of a worker child, 30-minute recording", peak.bytes / MEGABYTE, "MB", 700)


class _PeakMemory:
    """Largest resident size of any single process of a changing set, sampled every 50 ms."""

    def __init__(self, processes: Callable[[], list[psutil.Process]]) -> None:
        self._processes = processes
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.bytes = 0

    def __enter__(self) -> _PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.05):
            self.bytes = max([self.bytes, *(_resident(process) for process in self._processes())])


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def _wait_for(condition: Callable[[], Any], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the condition of the benchmark was not met within {seconds:g} s")
        time.sleep(0.02)


def _timestamp(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
