"""The state of the record at a moment: queues, counters, and the store itself."""

from __future__ import annotations

from dataclasses import dataclass, field

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
class Stats:
    """Counters by name, `what` or `what|label=value|...`. A name that ends in `_ms` counts thousandths."""

    counters: dict[str, int] = field(default_factory=dict)
