"""Which components that Parley needs are down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

import anyio
import anyio.to_thread

from parley_api.http.errors import NotReady
from parley_api.runtime.blocking_calls import BlockingCalls
from parley_core.errors import JobStoreUnavailable, JobStoreUnusable, ObjectStoreUnavailable
from parley_core.ports import RecordingStore, SubmitStore

CHECK_SECONDS = 1.5  # per component, both at a time: /readyz answers within 2 s
OBJECTS_FRESH_SECONDS = 5.0  # the check of the object store costs a write
# A pod that has just started may not reach its stores yet: network policies and names take a moment. If it got requests
# then, it would refuse what the pod before it would have served. During an outage it serves with one store after this.
SETTLE_SECONDS = 20.0
COMPONENTS = ("redis", "objects")


@dataclass(frozen=True, slots=True)
class ComponentDown:
    """Why a component is down. `bearable`: requests that need the other component alone can still be served."""

    detail: str
    bearable: bool = True


class Readiness:
    """Checks the job store and the object store."""

    def __init__(self, store: SubmitStore, recordings: RecordingStore, blocking: BlockingCalls) -> None:
        self._store = store
        self._recordings = recordings
        self._blocking = blocking
        self._began = time.monotonic()
        self._was_ready = False
        self._objects_checked = float("-inf")
        self._objects_down: ComponentDown | None = None
        self._threads = anyio.CapacityLimiter(2)  # its own: requests that hang must not block the check

    async def down(self) -> Mapping[str, ComponentDown]:
        """Return the components that are down, by name."""
        checks = await asyncio.gather(self._check_redis(), self._check_objects())
        down = {name: check for name, check in zip(COMPONENTS, checks, strict=True) if check}
        self._was_ready |= not down
        return down

    async def require(self, degraded: bool = False) -> None:
        """Raise NotReady, naming what is down.

        Args:
            degraded: accept one component of two. Without Redis submits are accepted; without the object store jobs
                can be read. A Redis that would lose jobs is never accepted, nor is one component for a process that
                has just started and has not reached both yet.
        """
        down = await self.down()
        bearable = len(down) < len(COMPONENTS) and all(component.bearable for component in down.values())
        settled = self._was_ready or time.monotonic() - self._began >= SETTLE_SECONDS
        if down and not (degraded and bearable and settled):
            raise NotReady({name: component.detail for name, component in down.items()})

    async def _check_redis(self) -> ComponentDown | None:
        try:
            health = await self._blocking.store(self._store.health, deadline=CHECK_SECONDS)
        except JobStoreUnavailable as error:
            return ComponentDown(error.detail)
        except JobStoreUnusable as error:
            return ComponentDown(error.detail, bearable=False)
        if health.eviction_policy != "noeviction":
            detail = f"maxmemory-policy is {health.eviction_policy}, which loses jobs; set noeviction"
            return ComponentDown(detail, bearable=False)
        return None

    async def _check_objects(self) -> ComponentDown | None:
        if time.monotonic() - self._objects_checked > OBJECTS_FRESH_SECONDS:
            self._objects_down = await self._written_object()
            self._objects_checked = time.monotonic()
        return self._objects_down

    async def _written_object(self) -> ComponentDown | None:
        """Write an object, read it and delete it."""
        try:
            with anyio.fail_after(CHECK_SECONDS):
                await anyio.to_thread.run_sync(self._recordings.check, limiter=self._threads, abandon_on_cancel=True)
        except TimeoutError:
            return ComponentDown("the object store does not answer in time")
        except ObjectStoreUnavailable as error:
            return ComponentDown(error.detail)
        return None
