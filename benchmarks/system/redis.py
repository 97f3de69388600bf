"""What jobs cost in Redis: bytes of memory and of the append-only log, and time where many jobs are."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.measure import Measure
from parley_core.job import (
    IdempotencyKey,
    Job,
    JobOptions,
    JobQuery,
    JobState,
    Lease,
    NewJob,
    Phase,
    Queue,
    ResultSummary,
    TimeLimits,
    dispatch_of,
)
from parley_core.job_id import new_id
from parley_core.recording import Recording, recording_key, result_key
from parley_core.redis import RedisJobStore
from parley_core.settings import Settings
from parley_worker.engines.base import load_engine
from tests.support.valkey import Valkey

JOBS = 10_000
FEW = 1_000  # jobs among which a call is timed first
WORKER = "parley-worker-5d8f7c9b4-x2x7k/ab12cd/17"
TIMED_CALLS = 200
RENEWALS = 500


@dataclass
class Bench:
    """A store on a Valkey of its own, and the jobs in it."""

    store: RedisJobStore
    client: Any
    engine: dict[str, object]
    made: int = 0

    def used(self) -> int:
        return int(self.client.info("memory")["used_memory"])

    def logged(self) -> int:
        return int(self.client.info("persistence")["aof_current_size"])

    def accept(self, keyed: bool = True) -> Job:
        """A job as a caller submits it: a reference, and an Idempotency-Key or none."""
        self.made += 1
        job_id = new_id()
        recording = Recording(recording_key(job_id), "ab" * 32, 12_345_678 + self.made, 600.25, "audio/flac")
        options = JobOptions(reference=f"consult-2026-{self.made:08d}", queue=list(Queue)[self.made % 2])
        new = NewJob(job_id, "default", recording, options, TimeLimits(540.0, 600.0))
        job = self.store.create(new, IdempotencyKey(new_id(), "cd" * 32) if keyed else None).job
        self.store.mark_queued(dispatch_of(job))
        return job

    def start(self, job: Job) -> Lease:
        started = self.store.start_attempt(job.id, WORKER, 30)
        assert started is not None
        return started[1]

    def succeed(self, job: Job) -> None:
        """An attempt as a worker makes it, with a renewal in every phase."""
        lease = self.start(job)
        for phase in Phase:
            self.store.renew(lease, 30, phase, 0.5)
        timings = {phase.value: 12.345 for phase in Phase} | {"engine": 23.456, "engine_cpu": 23.123}
        key = result_key(job.id, lease.nonce)
        self.store.succeed(lease, ResultSummary(key, 2, 120, 500.5, self.engine, timings, 3, 4.5))


def redis_rows(console: Console) -> list[Measure]:
    """Memory per job, log per renewal, and how calls grow with the number of jobs."""
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        # Waiting for the disk at every write would measure the disk; how many bytes are written is the same.
        server = Valkey(Path(folder), "--appendfsync", "everysec")
        server.start()
        try:
            settings = Settings(redis_url=server.url, queue_limit=1_000_000)
            engine = load_engine("onnx", 1).info
            plain = {"name": engine.name, "version": engine.version, "weights": dict(engine.weights)}
            plain["parameters"] = dict(engine.parameters)
            bench = Bench(RedisJobStore.from_settings(settings), server.client(), plain)
            return [*_volume(bench, console), _renewal(bench), *_growth(bench, console)]
        finally:
            server.kill()


def _volume(bench: Bench, console: Console) -> list[Measure]:
    console.print(f"bench: {JOBS} jobs in Redis, waiting and then finished")
    bench.succeed(bench.accept())
    empty = bench.used()
    keyed = [bench.accept() for _ in range(JOBS)]
    waiting = (bench.used() - empty) / JOBS
    for job in keyed:
        bench.succeed(job)
    with_key = (bench.used() - empty) / JOBS
    bench.client.delete(*bench.client.scan_iter("parley:idempotency:*", count=10_000))
    finished = (bench.used() - empty) / JOBS
    note = f"used_memory over {JOBS} jobs, Valkey's defaults; +{with_key - finished:.0f} with an Idempotency-Key, a day"
    return [
        Measure("Redis memory of a waiting job, with its Idempotency-Key", waiting, "B", 3_000),
        Measure("Redis memory of a finished job", finished, "B", 1_500, note=note),
    ]


def _renewal(bench: Bench) -> Measure:
    lease = bench.start(bench.accept())
    before = bench.logged()
    for number in range(RENEWALS):
        bench.store.renew(lease, 30, Phase.EMBEDDING, number / RENEWALS)
    return Measure("append-only log of a renewal", (bench.logged() - before) / RENEWALS, "B", 0)


def _growth(bench: Bench, console: Console) -> list[Measure]:
    console.print("bench: the same calls among few jobs and among many")
    bench.client.flushall()
    calls: dict[str, Callable[[], object]] = {
        "submit": lambda: bench.accept(keyed=True),
        "page": lambda: bench.store.page(JobQuery("default", limit=50)),
        "page of a rare state": lambda: bench.store.page(JobQuery("default", JobState.FAILED, limit=50)),
        "page by reference": lambda: bench.store.page(JobQuery("default", reference=f"consult-2026-{bench.made:08d}")),
        "scrape": lambda: (bench.store.stats(), bench.store.queues(), bench.store.health()),
        "keeper's look for due jobs and leases": lambda: (bench.store.claim_due(100), bench.store.lapsed_leases(100)),
    }
    few = _timed(bench, calls, FEW)
    many = _timed(bench, calls, JOBS)
    return [
        Measure(
            f"{name}: time among {JOBS} jobs over {FEW}", many[name] / few[name], "x", 2, note=f"{many[name]:.2f} ms"
        )
        for name in calls
    ]


def _timed(bench: Bench, calls: dict[str, Callable[[], object]], jobs: int) -> dict[str, float]:
    """Milliseconds of each call once there are so many jobs, half of them finished."""
    while bench.made < jobs or bench.client.dbsize() < jobs:
        job = bench.accept(keyed=False)
        if bench.made % 4 < 2:
            bench.succeed(job)
    return {name: _least_ms(call) for name, call in calls.items()}


def _least_ms(call: Callable[[], object]) -> float:
    """The shortest of many calls: what other processes of the machine add is not the call's."""
    times = []
    for _ in range(TIMED_CALLS):
        before = time.perf_counter()
        call()
        times.append((time.perf_counter() - before) * 1000)
    return min(times)
