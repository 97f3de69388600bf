"""Waiting for changes of a job: the next state, or every event until the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

from parley_api.http.errors import TooManyWaits
from parley_api.runtime.dependencies import Dependencies
from parley_api.runtime.tenant_slots import slot_or_refusal
from parley_api.use_cases.job_lookup import find
from parley_core.errors import JobStoreUnavailable
from parley_core.job import Job, JobEvent

CHECK_SECONDS = 15.0  # between two looks at the events of a job whose notifications do not arrive


def wait_slot(deps: Dependencies, tenant: str) -> AbstractAsyncContextManager[None]:
    """Hold a slot for a call that waits: none is left for others if one tenant's calls take all connections.

    Raises:
        TooManyWaits: the tenant has all of its share.
    """
    refusal = TooManyWaits("Too many calls of your tenant wait for jobs. Ask again later.")
    return slot_or_refusal(deps.waits, tenant, 0.0, refusal, deps.http_metrics.refuse)


async def next_state(deps: Dependencies, seen: Job, seconds: float) -> Job:
    """Return the job when its state differs from the one seen, or after `seconds`. Raises what `find` raises."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    with deps.notifications.watch(seen.id) as watch:
        job = await find(deps, seen.tenant, seen.id)  # it may have changed before the watch began
        while job.state is seen.state and not deps.notifications.closed and loop.time() < deadline:
            await watch.changed(deadline - loop.time())
            job = await find(deps, seen.tenant, seen.id)
    return job


async def events_of(deps: Dependencies, job_id: str, after: str) -> AsyncIterator[JobEvent]:
    """Yield the job's events after the given id, up to a terminal one or the stop of this process.

    While the job store is down nothing comes; the stream continues when the store is back. Events of a later retry
    follow the terminal one: ask again with its id.
    """
    with deps.notifications.watch(job_id) as watch:
        while not deps.notifications.closed:
            try:
                events = await deps.blocking.store(deps.store.events, job_id, after)
            except JobStoreUnavailable:
                events = ()
            for event in events:
                after = event.id
                yield event
                if event.state.terminal:
                    return
            await watch.changed(CHECK_SECONDS)
