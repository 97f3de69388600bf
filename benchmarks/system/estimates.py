"""How good the estimates of the end of a job are: over a simulated day, and with the default engine.

`python -m benchmarks.system.estimates` runs a day on the real transitions and a real Redis, whose clock is simulated.
With `--real JOBS` it submits as many recordings of different lengths to a whole system, and asks for their estimates
while they wait and run. Both print the median of the relative error, and how many ends lie in their interval. Each job
counts once in a line of the table, at a moment chosen by chance.
"""

from __future__ import annotations

import argparse
import heapq
import random
import statistics
import tempfile
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.data.audio import flac
from benchmarks.measure import processor
from benchmarks.system.one_machine import System, one_machine
from parley_core.forecast import Estimate
from parley_core.job import Failure, JobOptions, Lease, Phase, Queue, ResultSummary, RetryIn
from parley_core.redis import RedisJobStore
from parley_core.settings import Settings
from tests.support.fakes import new_job
from tests.support.simulated_clock import SimulatedClock, simulated_clock
from tests.support.valkey import Valkey

HOUR = 3600.0
TENANTS = ("north", "south", "west", "east", "archive")
JOBS_BY_HOUR = (4, 4, 4, 4, 4, 10, 30, 60, 120, 140, 140, 120, 90, 110, 140, 140, 100, 60, 40, 30, 20, 10, 6, 4)
FLOOD_AT, FLOOD = 10 * HOUR, 150  # jobs of one tenant at once
UPGRADE_AT, UPGRADE = 14 * HOUR, 0.6  # another engine, and its time
RENEWAL_SECONDS = 15.0
LOOKS_EVERY = 300.0  # seconds between two looks at an unfinished job, on average
LOOK_SECONDS = 0.5  # between two looks at all jobs of a real system
BURST = 10  # real jobs submitted at once, in the middle
SHORTEST = 1.0  # seconds left: shorter ones say little of an estimate


@dataclass(frozen=True)
class Look:
    """One estimate, and what became of it.

    Attributes:
        moment: `accepted` right after the submit, else `waiting` or `running`.
        at: seconds.
        estimate: as it was given; `ends` is when the job ended, in the same clock as `at`.
    """

    moment: str
    at: float
    estimate: Estimate
    ends: float

    @property
    def left(self) -> float:
        return self.ends - self.at

    @property
    def error(self) -> float:
        return abs(self.estimate.seconds - self.left) / self.left

    @property
    def covered(self) -> bool:
        return self.estimate.low <= self.left <= self.estimate.high


class Day:
    """A day of one queue. Everything happens at the time of its event."""

    def __init__(self, store: RedisJobStore, valkey: Valkey, seed: int) -> None:
        self._store, self._clock, self._chance = store, SimulatedClock(valkey), random.Random(seed)
        self._events: list[tuple[float, int, str, Any]] = []
        self._number = count()
        self._now = 0.0
        self._free = 0
        self._workers = 0
        self._messages: list[str] = []
        self._seen: defaultdict[str, list[tuple[str, float, Estimate]]] = defaultdict(list)
        self._drift = 0.0
        self.looks: list[Look] = []
        self.unknown = 0
        self.ended = 0

    def run(self) -> None:
        """Run the whole day, until its last job has ended."""
        for hour, jobs in enumerate(JOBS_BY_HOUR):
            for _ in range(jobs):
                self._plan((hour + self._chance.random()) * HOUR, "submit", self._chance.choice(TENANTS[:4]))
        for _ in range(FLOOD):
            self._plan(FLOOD_AT, "submit", "archive")
        for at, workers in ((0, 2), (7, 4), (8.5, 8), (12, 6), (13, 8), (17, 4), (21, 2)):
            self._plan(at * HOUR, "scale", workers)
        while self._events:
            self._now, _, what, value = heapq.heappop(self._events)
            self._clock.set(self._now)
            getattr(self, f"_{what}")(value)
            if what not in ("renew", "look", "look_once"):
                self._start()

    def _plan(self, at: float, what: str, value: Any) -> None:
        heapq.heappush(self._events, (at, next(self._number), what, value))

    def _scale(self, workers: int) -> None:
        self._store.register_worker("worker/1", Queue.INTERACTIVE, self._workers, 0)
        self._free += workers - self._workers
        self._workers = workers
        self._drift = self._chance.gauss(0, 0.1)
        self._store.register_worker("worker/1", Queue.INTERACTIVE, workers, 10 * 24 * HOUR)

    def _submit(self, tenant: str) -> None:
        seconds = min(3 * HOUR, max(20.0, self._chance.lognormvariate(6.3, 0.9)))
        new = new_job(tenant=tenant, options=JobOptions(queue=Queue.INTERACTIVE))
        job = self._store.create(replace(new, recording=replace(new.recording, seconds=seconds))).job
        self._publish(job.id)
        self._look_at(job.id, "accepted")
        self._plan(self._now + self._chance.expovariate(1 / LOOKS_EVERY), "look", job.id)
        if self._chance.random() < 0.02:
            self._plan(self._now + self._chance.expovariate(1 / 300), "cancel", job.id)

    def _publish(self, accepted: str | None = None) -> None:
        for dispatch in (*self._store.take_turns(100, accepted), *self._store.claim_due(100)):
            self._store.mark_queued(dispatch)
            self._messages.append(dispatch.job_id)

    def _look(self, job_id: str) -> None:
        if self._store.get(job_id).position is None:
            return
        self._look_at(job_id)
        self._plan(self._now + self._chance.expovariate(1 / LOOKS_EVERY), "look", job_id)

    def _look_once(self, job_id: str) -> None:
        self._look_at(job_id, "running")

    def _look_at(self, job_id: str, moment: str = "waiting") -> None:
        job = self._store.get(job_id)
        if job.estimate is None:
            self.unknown += 1
        else:
            self._seen[job_id].append((moment, self._now, job.estimate))

    def _cancel(self, job_id: str) -> None:
        if self._store.get(job_id).position is not None:
            self._store.cancel(job_id)

    def _start(self) -> None:
        self._publish()
        while self._free > 0 and self._messages:
            started = self._store.start_attempt(self._messages.pop(0), "worker/1", 10 * 24 * HOUR)
            self._publish()
            if started is not None:
                self._free -= 1
                self._begin(*started)

    def _begin(self, job: Any, lease: Lease) -> None:
        pace = 0.2 * (UPGRADE if self._now > UPGRADE_AT else 1.0)
        whole = (3 + pace * job.recording.seconds) * self._chance.lognormvariate(self._drift, 0.15)
        if self._chance.random() < 0.02:
            self._plan(self._now + whole * self._chance.random(), "fail", lease)
            return
        for number in range(1, int(whole / RENEWAL_SECONDS) + 1):
            share = number * RENEWAL_SECONDS / whole
            self._plan(self._now + number * RENEWAL_SECONDS, "renew", (lease, share**1.1))
        self._plan(self._now + whole * self._chance.random(), "look_once", job.id)
        self._plan(self._now + whole, "succeed", lease)

    def _renew(self, renewal: tuple[Lease, float]) -> None:
        lease, progress = renewal
        self._store.renew(lease, 10 * 24 * HOUR, Phase.EMBEDDING, progress)

    def _fail(self, lease: Lease) -> None:
        self._free += 1
        self._store.fail_attempt(lease, Failure("engine_error", "It broke."), RetryIn(60))
        self._plan(self._now + 60.001, "due", None)

    def _due(self, nothing: None) -> None:
        """Let the publisher look at what is due."""

    def _succeed(self, lease: Lease) -> None:
        engine: dict[str, object] = {"version": "2" if self._now > UPGRADE_AT else "1"}
        self._free += 1
        self.ended += 1
        self._store.succeed(lease, ResultSummary("result", 2, 10, 60.0, engine, {"engine": 1.0}))
        self.looks += chosen(self._seen.pop(lease.job_id, []), self._now, self._chance)


def chosen(seen: list[tuple[str, float, Estimate]], ends: float, chance: random.Random) -> list[Look]:
    """Return one look of each kind, chosen by chance."""
    chance.shuffle(seen)
    return [Look(moment, at, estimate, ends) for moment, at, estimate in {look[0]: look for look in seen}.values()]


def simulated_day(seed: int) -> Day:
    """Return a day that is over."""
    with tempfile.TemporaryDirectory() as folder, simulated_clock():
        valkey = Valkey(Path(folder), "--appendfsync", "no")
        valkey.start()
        day = Day(RedisJobStore.from_settings(Settings(redis_url=valkey.url)), valkey, seed)  # type: ignore[arg-type]
        day.run()
        valkey.stop()
    return day


class RealRun:
    """Recordings of different lengths for a system that starts with no knowledge, and that is busy most of the time."""

    def __init__(self, system: System, jobs: int, seed: int) -> None:
        self._system, self._jobs, self._chance = system, jobs, random.Random(seed)
        self._seen: defaultdict[str, list[tuple[str, float, Estimate]]] = defaultdict(list)
        self._unfinished: set[str] = set()
        self.looks: list[Look] = []
        self.unknown = 0
        self.ended = 0

    def run(self) -> None:
        """Submit jobs at the pace at which they end, and a burst in the middle; look at all until they have ended."""
        began, left = time.monotonic(), self._jobs
        due = began
        while left or self._unfinished:
            if left and time.monotonic() >= due:
                for _ in range(BURST if left == self._jobs // 2 else 1):
                    self._submit()
                    left -= 1
                pause = (time.monotonic() - began) / self.ended if self.ended >= 5 else 3.0
                due = time.monotonic() + self._chance.expovariate(1 / pause)
            self._look()
            time.sleep(LOOK_SECONDS)

    def _submit(self) -> None:
        seconds = min(900.0, max(20.0, self._chance.lognormvariate(5.2, 0.8)))
        job_id = self._system.submit(flac(round(seconds)))
        self._unfinished.add(job_id)
        self._note(self._system.job(job_id), "accepted")

    def _look(self) -> None:
        for job_id in tuple(self._unfinished):
            job = self._system.job(job_id)
            if job["finished_at"]:
                self._unfinished.remove(job_id)
                self.ended += 1
                self.looks += chosen(self._seen.pop(job_id, []), seconds_of(job["finished_at"]), self._chance)
            else:
                self._note(job, "waiting" if job["position"] is not None else "running")

    def _note(self, job: dict[str, Any], moment: str) -> None:
        if job["eta"] is None:
            self.unknown += not job["finished_at"]
        else:
            self._seen[job["id"]].append((moment, time.time(), Estimate(**job["eta"])))


def seconds_of(moment: str) -> float:
    """Return an RFC 3339 time as seconds since 1970."""
    return datetime.fromisoformat(moment).timestamp()


def table(looks: list[Look]) -> str:
    """Return the figures by moment."""
    lines = [f"{'estimate':<24}{'looks':>8}{'median error':>14}{'in interval':>13}{'median width':>14}"]
    groups = {"right after the submit": "accepted", "while it waits": "waiting", "while it runs": "running", "all": ""}
    for name, moment in groups.items():
        chosen = [look for look in looks if look.moment.startswith(moment) and look.left >= SHORTEST]
        if chosen:
            error = statistics.median(look.error for look in chosen)
            covered = sum(look.covered for look in chosen) / len(chosen)
            width = statistics.median((one.estimate.high - one.estimate.low) / one.left for one in chosen)
            lines.append(f"{name:<24}{len(chosen):>8}{error:>14.1%}{covered:>13.1%}{width:>14.2f}")
    return "\n".join(lines)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.system.estimates", description=__doc__)
    parser.add_argument("--seed", type=int, default=14)
    parser.add_argument("--real", type=int, metavar="JOBS", help="number of jobs for a whole system, in place of a day")
    options = parser.parse_args()
    began = time.perf_counter()
    measured: Day | RealRun
    if options.real:
        with one_machine() as system:
            measured = RealRun(system, options.real, options.seed)
            with suppress(KeyboardInterrupt):  # what has ended counts
                measured.run()
    else:
        measured = simulated_day(options.seed)
    spent = time.perf_counter() - began
    print(f"{measured.ended} jobs ended, {measured.unknown} looks without an estimate, {spent:.0f} s, {processor()}")
    print(table(measured.looks))


if __name__ == "__main__":
    main()
