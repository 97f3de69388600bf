"""JobQueue in memory."""

from __future__ import annotations

from collections import Counter, deque

from parley_core.errors import JobStoreUnavailable
from parley_core.job import Dispatch, Queue


class MemoryJobQueue:
    """Holds what was published; a test takes it as a worker would. `available = False`: the broker is down."""

    def __init__(self) -> None:
        self.published: deque[Dispatch] = deque()
        self.available = True

    def publish(self, dispatch: Dispatch) -> None:
        if not self.available:
            raise JobStoreUnavailable("The broker did not take the job (down).")
        self.published.append(dispatch)

    def waiting(self) -> dict[Queue, int]:
        counts = Counter(dispatch.queue for dispatch in self.published)
        return {queue: counts[queue] for queue in Queue}

    def take(self) -> Dispatch:
        """Remove and return the oldest message. Raises IndexError when there is none."""
        return self.published.popleft()
