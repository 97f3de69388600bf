"""Runs the synchronous ports in threads, so that the event loop never blocks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import anyio
import anyio.to_thread

from parley_core.errors import JobStoreUnavailable
from parley_core.storage.remote import WAIT_SECONDS

T = TypeVar("T")

THREADS = 40  # per kind of call: a job store that hangs must not take the threads of the object store
PROBES = 3  # recordings measured at a time, one less for each tenant; each may use a processor for a second
GRACE_SECONDS = 1.0  # beyond the socket's own timeout, whose error says more


class BlockingCalls:
    """Runs blocking calls. Each kind has its own limit of threads."""

    def __init__(self, redis_timeout_seconds: float) -> None:
        self._deadline = redis_timeout_seconds + GRACE_SECONDS
        self._store = anyio.CapacityLimiter(THREADS)
        self._objects = anyio.CapacityLimiter(THREADS)
        self._probes = anyio.CapacityLimiter(PROBES)

    async def store(self, call: Callable[..., T], *arguments: object, deadline: float | None = None) -> T:
        """Call the job store or the queue.

        Args:
            deadline: seconds to wait for the call; by default Redis's timeout and a second.

        Raises:
            JobStoreUnavailable: no answer before the deadline. The call may still take effect.
        """
        try:
            with anyio.fail_after(self._deadline if deadline is None else deadline):
                return await anyio.to_thread.run_sync(
                    partial(call, *arguments), limiter=self._store, abandon_on_cancel=True
                )
        except TimeoutError as error:
            raise JobStoreUnavailable("Redis did not answer in time.") from error

    async def look_up(self, call: Callable[..., T], *arguments: object) -> T:
        """Call the job store, which asks the object store where Redis does not answer: wait for both, one by one."""
        return await self.store(call, *arguments, deadline=self._deadline + WAIT_SECONDS)

    async def objects(self, call: Callable[..., T], *arguments: object) -> T:
        """Call the object store, or the job store where it changes both stores: each has deadlines of its own."""
        return await anyio.to_thread.run_sync(partial(call, *arguments), limiter=self._objects)

    async def probe(self, call: Callable[..., T], *arguments: object) -> T:
        """Measure a recording."""
        return await anyio.to_thread.run_sync(partial(call, *arguments), limiter=self._probes)
