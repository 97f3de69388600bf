"""Which parts that Parley needs are missing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

import anyio
import anyio.to_thread

from parley_api.http.errors import NotReady
from parley_api.runtime.dependencies import Dependencies
from parley_core.errors import JobStoreUnavailable, ObjectStoreUnavailable

LOOK_SECONDS = 1.5  # for each part, side by side: the answer is there within 2 s even if nothing else is
OBJECTS_FRESH_SECONDS = 5.0  # proving that objects can be written costs a write
# A pod that has just started may not reach what it soon will: network policies and names take a moment to be there.
# Taken into service then, it refuses what the pod before it would have answered. In an outage one part is enough after.
SETTLE_SECONDS = 20.0
PARTS = ("redis", "objects")


@dataclass(frozen=True, slots=True)
class ComponentDown:
    """Why a part is missing. `bearable`: requests that need the other part alone can still be answered well."""

    detail: str
    bearable: bool = True


class Readiness:
    """Looks at the job store and the object store."""

    def __init__(self, deps: Dependencies) -> None:
        self._deps = deps
        self._began, self._was_whole = time.monotonic(), False
        self._objects_seen = float("-inf")
        self._objects_missing: ComponentDown | None = None
        self._threads = anyio.CapacityLimiter(2)  # its own: hanging requests must not make us blind

    async def missing(self) -> Mapping[str, ComponentDown]:
        """Return what is missing by part."""
        found = await asyncio.gather(self._redis(), self._objects())
        missing = {part: lack for part, lack in zip(PARTS, found, strict=True) if lack}
        self._was_whole |= not missing
        return missing

    async def require(self, degraded: bool = False) -> None:
        """Raise NotReady, naming what is missing.

        Args:
            degraded: be content with one part of two: without Redis submits are journalled, without the object store
                jobs can be read. A Redis that would lose jobs is never good enough, nor is one part for a process
                that has just started and has not seen both.
        """
        missing = await self.missing()
        bearable = len(missing) < len(PARTS) and all(lack.bearable for lack in missing.values())
        enough = degraded and bearable and self._settled()
        if missing and not enough:
            raise NotReady({part: lack.detail for part, lack in missing.items()})

    def _settled(self) -> bool:
        return self._was_whole or time.monotonic() - self._began >= SETTLE_SECONDS

    async def _redis(self) -> ComponentDown | None:
        try:
            health = await self._deps.calls.store(self._deps.store.health, deadline=LOOK_SECONDS)
        except JobStoreUnavailable as error:
            return ComponentDown(error.detail)
        if health.eviction_policy != "noeviction":
            detail = f"maxmemory-policy is {health.eviction_policy}, which loses jobs; set noeviction"
            return ComponentDown(detail, bearable=False)
        return None

    async def _objects(self) -> ComponentDown | None:
        if time.monotonic() - self._objects_seen > OBJECTS_FRESH_SECONDS:
            self._objects_missing = await self._look_at_objects()
            self._objects_seen = time.monotonic()
        return self._objects_missing

    async def _look_at_objects(self) -> ComponentDown | None:
        try:
            with anyio.fail_after(LOOK_SECONDS):
                await anyio.to_thread.run_sync(
                    self._deps.recordings.check, limiter=self._threads, abandon_on_cancel=True
                )
        except TimeoutError:
            return ComponentDown("the object store does not answer in time")
        except ObjectStoreUnavailable as error:
            return ComponentDown(error.detail)
        return None
