"""The testbed: a system under load, and the faults injected into it so far."""

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

WARM_JOBS = 2  # attempts started before the first fault
WARM_SECONDS = 60
BUSY_SECONDS = 30
WORKER_LOST = '"worker lost"'  # as the keeper logs it


@dataclass(slots=True)
class Injection:
    """One injected fault.

    Attributes:
        at: its time in seconds since 1970.
        ended: the end of its cause. For a killed process the time of the kill.
        affected: jobs that were running on the affected part.
        outage: a dependency was down, so recovery counts from its return.
    """

    at: float
    ended: float
    affected: tuple[str, ...] = ()
    outage: bool = False

    @property
    def since(self) -> float:
        """The time at which recovery can begin."""
        return self.ended if self.outage else self.at


@dataclass(slots=True)
class Testbed:
    """A system under load, a seeded random source, and the injections so far.

    Attributes:
        seconds_to_stop: from the SIGTERM of a worker to its end, of each planned stop that was measured.
        figures: what else a fault has measured, by name.
    """

    system: System
    load: Load
    rng: random.Random
    injections: list[Injection] = field(default_factory=list)
    seconds_to_stop: list[float] = field(default_factory=list)
    figures: dict[str, str] = field(default_factory=dict)

    def pause(self, low: float, high: float) -> None:
        """Wait for a random time between `low` and `high` seconds."""
        time.sleep(self.rng.uniform(low, high))

    def running(self) -> list[Job]:
        """Return the jobs that are running."""
        try:
            jobs = self.system.unfinished()
        except (JobStoreUnavailable, JobStoreFull):
            return []
        return [job for job in jobs if job.state is JobState.RUNNING]

    def running_on(self, part: Part) -> list[Job]:
        children = part.children()
        return [job for job in self.running() if int(job.attempts[-1].worker.rpartition("/")[2]) in children]

    def busy_worker(self) -> Part:
        """Return a worker that is running a job."""
        workers = self.system.kind("worker")

        def busy() -> list[Part]:
            return [part for part in workers if part.alive and self.running_on(part)]

        if not until(lambda: bool(busy()), BUSY_SECONDS, 0.02):
            raise TimeoutError("no worker became busy under load")
        return self.rng.choice(busy() or workers)

    def note(self, affected: Iterable[Job] = (), at: float | None = None) -> None:
        """Record a fault that ends at once."""
        now = time.time()
        self.injections.append(Injection(now if at is None else at, now, tuple(job.id for job in affected)))

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Record an outage of a dependency for the time of the block."""
        injection = Injection(time.time(), 0.0, tuple(job.id for job in self.running()), outage=True)
        yield
        injection.ended = time.time()
        self.injections.append(injection)

    def warm(self) -> None:
        """Wait until attempts are running."""

        def started() -> bool:
            counters = self.system.store.stats().counters
            return sum(v for k, v in counters.items() if k.startswith("attempts_started")) >= WARM_JOBS

        if not until(started, WARM_SECONDS):
            raise TimeoutError(f"no attempt was started: {self.system.log_tails()}")


def no_worker_was_reaped(testbed: Testbed) -> Iterator[str]:
    """Check that no keeper has ended an attempt: for faults that no worker dies of."""
    for log in sorted(testbed.system.logs.glob("keeper-*.log")):
        if reaped := log.read_text(errors="replace").count(WORKER_LOST):
            yield f"{reaped} attempts of living workers ended: {log.name}"
