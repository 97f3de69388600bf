"""The ports are synchronous; here their calls run in threads, so that the event loop never waits."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import anyio
import anyio.to_thread

from parley_core.errors import JobStoreUnavailable

T = TypeVar("T")

THREADS = 40  # per kind of call: a store that hangs must not take the threads of the other
PROBES = 2  # recordings looked into at once; each may cost a processor for a second
GRACE_SECONDS = 1.0  # on top of the socket's own timeout, which knows better what went wrong


class BlockingCalls:
    """Runs blocking calls: `store` with a deadline, `objects` and `probe` with their port's own."""

    def __init__(self, redis_timeout_seconds: float) -> None:
        self._deadline = redis_timeout_seconds + GRACE_SECONDS
        self._store, self._objects = anyio.CapacityLimiter(THREADS), anyio.CapacityLimiter(THREADS)
        self._probes = anyio.CapacityLimiter(PROBES)

    async def store(self, call: Callable[..., T], *arguments: object, deadline: float | None = None) -> T:
        """Call the job store or the queue.

        Raises:
            JobStoreUnavailable: no answer within `deadline` seconds (Redis's timeout and a little by default).
                The call may take effect all the same.
        """
        try:
            with anyio.fail_after(self._deadline if deadline is None else deadline):
                return await anyio.to_thread.run_sync(
                    partial(call, *arguments), limiter=self._store, abandon_on_cancel=True
                )
        except TimeoutError as error:
            raise JobStoreUnavailable("Redis did not answer in time.") from error

    async def objects(self, call: Callable[..., T], *arguments: object) -> T:
        """Call the object store or the journal."""
        return await anyio.to_thread.run_sync(partial(call, *arguments), limiter=self._objects)

    async def probe(self, call: Callable[..., T], *arguments: object) -> T:
        """Look into a recording."""
        return await anyio.to_thread.run_sync(partial(call, *arguments), limiter=self._probes)
