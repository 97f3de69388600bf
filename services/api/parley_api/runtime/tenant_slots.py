"""Slots that tenants share fairly: none takes all, and each waits only for its own share."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from parley_core.errors import RetryableError


class TenantSlots:
    """A number of slots of one process.

    Args:
        total: number of slots.
        per_tenant: most of them that one tenant holds at a time.
    """

    def __init__(self, total: int, per_tenant: int) -> None:
        self._slots = asyncio.Semaphore(total)
        self._per_tenant = per_tenant
        self._shares: dict[str, asyncio.Semaphore] = {}
        self._users: Counter[str] = Counter()

    @asynccontextmanager
    async def slot(self, tenant: str, wait_seconds: float | None = None) -> AsyncIterator[None]:
        """Hold a slot. Requests of a tenant are served in their order, and wait for its share first.

        Raises:
            TimeoutError: there was none within `wait_seconds`; None waits without a limit.
        """
        self._users[tenant] += 1
        share = self._shares.setdefault(tenant, asyncio.Semaphore(self._per_tenant))
        try:
            async with asyncio.timeout(wait_seconds) as waiting, share, self._slots:
                waiting.reschedule(None)
                yield
        finally:
            self._users[tenant] -= 1
            if not self._users[tenant]:
                del self._users[tenant], self._shares[tenant]


@asynccontextmanager
async def slot_or_refusal(
    slots: TenantSlots, tenant: str, wait_seconds: float, refusal: RetryableError, count: Callable[[str], None]
) -> AsyncIterator[None]:
    """Hold a slot. Where none is free in time, count the refusal by its code, and raise it."""
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(slots.slot(tenant, wait_seconds))
        except TimeoutError:
            count(refusal.code)
            raise refusal from None
        yield
