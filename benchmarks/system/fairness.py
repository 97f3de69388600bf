"""How tenants share a queue: a flood beside one job, shares of five tenants, and what the order costs.

`python -m benchmarks.system.fairness` runs the real transitions on a real Redis. Jobs are given by their length, and
time is simulated: workers take the messages in their order, and each job takes as long as its length says.
"""

from __future__ import annotations

import heapq
import random
import tempfile
import time
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path

from parley_core.job import Dispatch, JobOptions, Queue
from parley_core.redis import RedisJobStore
from parley_core.settings import Settings
from tests.support.fakes import new_job
from tests.support.valkey import Valkey

FLOOD = 1_000
WORKERS = 4
LONG = 1e9  # seconds of real time, longer than the simulation
COST_SECONDS = 5.0  # of a job besides its audio, as lib.lua has it


@dataclass(frozen=True)
class Start:
    """One start of a job, in simulated seconds."""

    tenant: str
    at: float
    seconds: float


class Simulation:
    """A queue with workers."""

    def __init__(self, store: RedisJobStore, workers: int) -> None:
        self._store, self._workers = store, workers
        store.register_worker("worker/1", Queue.INTERACTIVE, workers, LONG)

    def submit(self, tenant: str, seconds: float) -> str:
        new = new_job(tenant=tenant, options=JobOptions(queue=Queue.INTERACTIVE))
        return self._store.create(replace(new, recording=replace(new.recording, seconds=seconds))).job.id

    def run(self, until: float = float("inf"), arrivals: tuple[tuple[float, str, float], ...] = ()) -> list[Start]:
        """Run until the queue is empty, or to a time; return every start."""
        free = [(0.0, slot) for slot in range(self._workers)]
        messages: deque[str] = deque()
        running: dict[int, str] = {}
        coming = deque(arrivals)
        starts: list[Start] = []
        while free:
            now, slot = heapq.heappop(free)
            if slot in running:
                self._store.cancel(running.pop(slot))  # its end, without a result
            while coming and coming[0][0] <= now:
                _, tenant, seconds = coming.popleft()
                self.submit(tenant, seconds)
            messages.extend(dispatch.job_id for dispatch in self._published())
            if now > until or not messages:
                continue
            started = self._store.start_attempt(messages.popleft(), f"worker/{slot}", LONG / 1e6)
            messages.extend(dispatch.job_id for dispatch in self._published())
            if started is None:
                heapq.heappush(free, (now, slot))
                continue
            job = started[0]
            running[slot] = job.id
            starts.append(Start(job.tenant, now, job.recording.seconds))
            heapq.heappush(free, (now + job.recording.seconds, slot))
        return starts

    def _published(self) -> list[Dispatch]:
        dispatches = list(self._store.take_turns(100))
        for dispatch in dispatches:
            self._store.mark_queued(dispatch)
        return dispatches


def flood(store: RedisJobStore, workers: int, seconds: float = 60.0) -> float:
    """Return after how many job lengths a job starts that is submitted beside a flood of another tenant."""
    simulation = Simulation(store, workers)
    for _ in range(FLOOD):
        simulation.submit("north", seconds)
    at = 10 * seconds + 1
    starts = simulation.run(until=at + 10 * seconds, arrivals=((at, "south", seconds),))
    (single,) = [start for start in starts if start.tenant == "south"]
    return (single.at - at) / seconds


def shares(store: RedisJobStore) -> float:
    """Return Jain's index of five tenants with jobs of different number and length."""
    simulation = Simulation(store, WORKERS)
    chance = random.Random(14)
    for number, tenant in enumerate("abcde"):
        for _ in range(100 + 50 * number):
            simulation.submit(tenant, chance.uniform(5, 60) * (1 + number))
    work = dict.fromkeys("abcde", 0.0)
    for start in simulation.run(until=1_500):
        work[start.tenant] += start.seconds + COST_SECONDS
    return sum(work.values()) ** 2 / (len(work) * sum(one**2 for one in work.values()))


def throughput(store: RedisJobStore, tenants: int, jobs: int = 400) -> tuple[float, float]:
    """Return the time that all jobs take, of that without a pause, and milliseconds of Redis and its client per job."""
    simulation = Simulation(store, WORKERS)
    began = time.perf_counter()
    for number in range(jobs):
        simulation.submit(f"tenant-{number % tenants}", 60.0)
    starts = simulation.run()
    assert len(starts) == jobs
    took = max(start.at + start.seconds for start in starts)
    return took / (jobs * 60.0 / WORKERS), (time.perf_counter() - began) / jobs * 1000


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        valkey = Valkey(Path(folder), "--appendfsync", "no")
        valkey.start()

        def fresh() -> RedisJobStore:
            valkey.client().flushall()
            return RedisJobStore.from_settings(Settings(redis_url=valkey.url))  # type: ignore[arg-type]

        for workers in (1, 2, 4, 16):
            lengths = flood(fresh(), workers)
            print(f"one job beside a flood of {FLOOD}, {workers} at a time: starts after {lengths:.2f} job lengths")
        print(f"Jain's index of five tenants: {shares(fresh()):.4f}")
        for tenants in (1, 100):
            took, milliseconds = throughput(fresh(), tenants)
            print(f"{tenants} tenants: {took:.4f} of the time without a pause, {milliseconds:.2f} ms a job in Redis")
        valkey.stop()


if __name__ == "__main__":
    main()
