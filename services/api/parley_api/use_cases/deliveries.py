"""Deliveries of a tenant: which there are, and making one again."""

from __future__ import annotations

from collections.abc import Sequence

from parley_api.runtime.dependencies import Dependencies
from parley_api.use_cases.job_lookup import find
from parley_core.deliveries import Delivery, DeliveryState, parse_delivery_id
from parley_core.errors import DeliveryNotFound, JobNotFound, JobPurged
from parley_core.logs import get_logger

log = get_logger(__name__)


async def deliveries_of(
    deps: Dependencies, tenant: str, job_id: str | None, state: DeliveryState | None, limit: int
) -> Sequence[Delivery]:
    """Return deliveries of the tenant's jobs and batches, newest first, or of one job.

    Raises what `find` raises for that job, and ObjectStoreUnavailable.
    """
    store = deps.blocking.store
    if job_id is None:
        of_jobs = await store(deps.deliveries.newest, tenant, limit, state)
        of_batches = await deps.blocking.objects(deps.batches.deliveries, tenant, state, limit)
        return sorted([*of_jobs, *of_batches], key=lambda one: one.ended_at, reverse=True)[:limit]
    job = await find(deps, tenant, job_id)
    found = await store(deps.deliveries.of_job, tenant, job.id, job.run)
    return [delivery for delivery in found if state in (None, delivery.state)][:limit]


async def resend(deps: Dependencies, tenant: str, delivery_id: str) -> Delivery:
    """Plan a delivery once more, and return it.

    Raises:
        DeliveryNotFound: the tenant has none with this id.
        ObjectStoreUnavailable: nothing was planned.
    """
    missing = DeliveryNotFound("There is no delivery with this id.")
    parsed = parse_delivery_id(delivery_id)
    if parsed is None:
        raise missing
    job_id, run = parsed
    try:
        job = await find(deps, tenant, job_id)
    except (JobNotFound, JobPurged):
        if run > 0:
            raise missing from None
        log.info("delivery of a batch planned again", batch_id=job_id)
        return await deps.blocking.objects(deps.batches.resend, tenant, job_id)
    await deps.blocking.objects(deps.store.manifests.mark_undelivered, job.id, run)
    await deps.blocking.store(deps.deliveries.resend, job.id, run)
    log.info("delivery planned again", job_id=job.id, run=run)
    for delivery in await deps.blocking.store(deps.deliveries.of_job, tenant, job.id, run):
        if delivery.run == run:
            return delivery
    raise missing
