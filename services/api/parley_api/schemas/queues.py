"""How busy the queues are."""

from __future__ import annotations

from typing import Self

from pydantic import Field

from parley_api.schemas.base import Answer
from parley_core.job import Queue, QueueStatus


class QueueAnswer(Answer):
    """One queue now."""

    queue: Queue
    unfinished: int
    waiting: int
    running: int
    oldest_seconds: float | None = Field(description="Age of the oldest unfinished job; null when there is none.")
    workers: int = Field(description="Workers that serve it and take jobs.")
    capacity: int = Field(description="Jobs that these can run at a time; a worker of two queues counts in both.")

    @classmethod
    def of(cls, status: QueueStatus) -> Self:
        return cls(
            queue=status.queue,
            unfinished=status.unfinished,
            waiting=status.unfinished - status.running,
            running=status.running,
            oldest_seconds=status.oldest_seconds,
            workers=status.workers,
            capacity=status.capacity,
        )


class QueuesAnswer(Answer):
    queues: list[QueueAnswer]
