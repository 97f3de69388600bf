"""Which parts that Parley needs are missing."""

from __future__ import annotations

import asyncio
import time

import anyio
import anyio.to_thread

from parley_api.deps import Deps
from parley_api.errors import NotReady
from parley_core.errors import JobStoreUnavailable, ObjectStoreUnavailable

LOOK_SECONDS = 1.5  # for each part, side by side: the answer is there within 2 s even if nothing else is
OBJECTS_FRESH_SECONDS = 5.0  # proving that objects can be written costs a write


class Readiness:
    """Looks at the job store and the object store."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._objects_seen, self._objects_missing = float("-inf"), ""
        self._threads = anyio.CapacityLimiter(2)  # its own: hanging requests must not make us blind

    async def require(self) -> None:
        """Raise NotReady, naming what is missing."""
        redis, objects = await asyncio.gather(self._redis(), self._objects())
        if missing := {part: why for part, why in (("redis", redis), ("objects", objects)) if why}:
            raise NotReady(missing)

    async def _redis(self) -> str:
        try:
            health = await self._deps.calls.store(self._deps.store.health, deadline=LOOK_SECONDS)
        except JobStoreUnavailable as error:
            return error.detail
        if health.eviction_policy != "noeviction":
            return f"maxmemory-policy is {health.eviction_policy}, which loses jobs; set noeviction"
        return ""

    async def _objects(self) -> str:
        if time.monotonic() - self._objects_seen > OBJECTS_FRESH_SECONDS:
            self._objects_missing = await self._look_at_objects()
            self._objects_seen = time.monotonic()
        return self._objects_missing

    async def _look_at_objects(self) -> str:
        try:
            with anyio.fail_after(LOOK_SECONDS):
                await anyio.to_thread.run_sync(
                    self._deps.recordings.check, limiter=self._threads, abandon_on_cancel=True
                )
        except TimeoutError:
            return "the object store does not answer in time"
        except ObjectStoreUnavailable as error:
            return error.detail
        return ""
