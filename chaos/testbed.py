"""Where one fault meets one system under load: what a fault may do, and what is noted of it."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from chaos.client import Load
from chaos.parts import Part, until
from chaos.system import System
from parley_core.errors import JobStoreFull, JobStoreUnavailable
from parley_core.job import Job, JobState

WARM_JOBS = 2  # succeeded before the first strike: every part is at work
WARM_SECONDS = 60
BUSY_SECONDS = 30


@dataclass(slots=True)
class Strike:
    """One blow.

    Attributes:
        at: when it fell (seconds since 1970).
        healed: when its cause was gone; for a killed process the moment of the kill.
        hit: jobs that were being worked on by what was struck.
        outage: a dependency was away, so that recovery counts from its return.
    """

    at: float
    healed: float
    hit: tuple[str, ...] = ()
    outage: bool = False

    @property
    def since(self) -> float:
        """When recovery could begin."""
        return self.healed if self.outage else self.at


@dataclass(slots=True)
class Testbed:
    """A system under load, a source of seeded chance, and the strikes so far."""

    system: System
    load: Load
    rng: random.Random
    strikes: list[Strike] = field(default_factory=list)

    def pause(self, low: float, high: float) -> None:
        """Let the load go on for a while."""
        time.sleep(self.rng.uniform(low, high))

    def running(self) -> list[Job]:
        """Jobs that hold a lease now."""
        try:
            jobs = self.system.unfinished()
        except (JobStoreUnavailable, JobStoreFull):
            return []
        return [job for job in jobs if job.state is JobState.RUNNING]

    def running_on(self, part: Part) -> list[Job]:
        children = part.children()
        return [job for job in self.running() if int(job.attempts[-1].worker.rpartition("/")[2]) in children]

    def busy_worker(self) -> Part:
        """A worker that works on a job right now."""
        workers = self.system.kind("worker")

        def busy() -> list[Part]:
            return [part for part in workers if part.alive and self.running_on(part)]

        if not until(lambda: bool(busy()), BUSY_SECONDS, 0.02):
            raise TimeoutError("no worker became busy under load")
        return self.rng.choice(busy() or workers)

    def struck(self, hit: Iterable[Job] = (), at: float | None = None) -> None:
        """Note a blow that needs no healing."""
        now = time.time()
        self.strikes.append(Strike(now if at is None else at, now, tuple(job.id for job in hit)))

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Something is away inside the block, and back after it."""
        strike = Strike(time.time(), 0.0, tuple(job.id for job in self.running()), outage=True)
        yield
        strike.healed = time.time()
        self.strikes.append(strike)

    def warm(self) -> None:
        """Wait until work flows."""

        def flows() -> bool:
            counters = self.system.store.stats().counters
            return sum(v for k, v in counters.items() if k.startswith("attempts_started")) >= WARM_JOBS

        if not until(flows, WARM_SECONDS):
            raise TimeoutError(f"no work flows: {self.system.last_words()}")
