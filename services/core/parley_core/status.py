"""The state of the record at a moment: queues, counters, what tenants have used, and the store itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Self

from parley_core.job import Queue


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """The state of a queue.

    Attributes:
        oldest_seconds: age of the oldest unfinished job, None when there is none.
        workers: number of workers that take its jobs. A worker that drains is not counted.
        capacity: number of jobs that these can run at a time. A worker of two queues counts in both.
    """

    queue: Queue
    unfinished: int
    running: int
    oldest_seconds: float | None
    workers: int = 0
    capacity: int = 0


@dataclass(frozen=True, slots=True)
class StoreHealth:
    """The state of the store.

    Attributes:
        used_memory: bytes, as is `max_memory`, which is 0 without a limit.
        due: number of jobs to publish, now or later.
        lag_seconds: time for which the oldest due job has been due.
        leases: number of running jobs.
        retention_lag_seconds: time for which the retention of a job that is still there has been over.
    """

    used_memory: int
    max_memory: int
    eviction_policy: str
    append_only: bool
    due: int
    lag_seconds: float
    leases: int
    retention_lag_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Exemplar:
    """A sample of a histogram whose trace is known: its value, the id of the trace, and when it was noted (UTC)."""

    trace_id: str
    value: float
    noted_at: datetime


@dataclass(frozen=True, slots=True)
class Stats:
    """Counters by name, `what` or `what|label=value|...`. A name that ends in `_ms` counts thousandths.

    Attributes:
        exemplars: the last one of each bucket, by the name of its counter; none where no traces are sent.
    """

    counters: dict[str, int] = field(default_factory=dict)
    exemplars: dict[str, Exemplar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a tenant has used in a queue on a UTC day, by the ends of its jobs.

    A job that is retried by hand counts again.

    Attributes:
        succeeded: number of jobs that ended so, as are `failed` and `cancelled`.
        attempts: of these jobs.
        audio_seconds: length of the recordings of the jobs that succeeded.
        engine_seconds: time of the engine on them; `engine_cpu_seconds` is its processor time.
        transcribed_seconds: length of the audio that the recogniser has transcribed for them.
        wait_seconds: time from accepting a job to its first start.
    """

    day: date
    queue: Queue
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    attempts: int = 0
    audio_seconds: float = 0.0
    engine_seconds: float = 0.0
    engine_cpu_seconds: float = 0.0
    transcribed_seconds: float = 0.0
    wait_seconds: float = 0.0

    @classmethod
    def from_counters(cls, day: date, queue: Queue, counters: Mapping[str, int]) -> Self | None:
        """Return the usage from counters by name, where `_ms` counts thousandths of seconds; None without one."""
        known = {name: value for name, value in counters.items() if name in COUNTERS}
        seconds = {
            name.replace("_ms", "_seconds"): value / 1000 for name, value in known.items() if name.endswith("_ms")
        }
        whole = {name: value for name, value in known.items() if not name.endswith("_ms")}
        return cls(day, queue, **whole, **seconds) if known else None  # type: ignore[arg-type]  # names are COUNTERS


COUNTERS = frozenset(
    {
        "succeeded",
        "failed",
        "cancelled",
        "attempts",
        "audio_ms",
        "engine_ms",
        "engine_cpu_ms",
        "transcribed_ms",
        "wait_ms",
    }
)
"""What `count_usage` in lib.lua counts."""
