"""How busy the queues are."""

from __future__ import annotations

from typing import Self

from pydantic import Field

from parley_api.schemas import examples
from parley_api.schemas.base import Answer, Seconds, with_example
from parley_core.job import Queue
from parley_core.status import QueueStatus


class QueueAnswer(Answer):
    """One queue, over all tenants."""

    queue: Queue = Field(description="Name of the queue.")
    unfinished: int = Field(description="Jobs that have not ended.")
    waiting: int = Field(description="Jobs that wait for a worker.")
    running: int = Field(description="Jobs that a worker computes.")
    oldest_seconds: Seconds | None = Field(description="Age of the oldest unfinished job; null without one.")
    workers: int = Field(description="Workers that serve the queue and take jobs.")
    capacity: int = Field(description="Jobs that these workers run at a time. A worker of two queues counts in both.")

    @classmethod
    def of(cls, status: QueueStatus) -> Self:
        """Return the response for a queue."""
        return cls(
            queue=status.queue,
            unfinished=status.unfinished,
            waiting=status.unfinished - status.running,
            running=status.running,
            oldest_seconds=status.oldest_seconds,
            workers=status.workers,
            capacity=status.capacity,
        )


@with_example(examples.QUEUES)
class QueuesAnswer(Answer):
    """All queues."""

    queues: list[QueueAnswer] = Field(description="Each queue.")
