"""Deliveries of the ends of jobs and batches."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from parley_api.http.openapi import problems
from parley_api.routes.context import Deps, NoQuery, Tenant, needs
from parley_api.runtime.keys import Scope
from parley_api.schemas import examples
from parley_api.schemas.deliveries import DeliveriesAnswer, DeliveriesQuery, DeliveryAnswer
from parley_api.use_cases import deliveries as use_cases
from parley_core.errors import DeliveryNotFound, JobNotFound, JobPurged, ObjectStoreUnavailable

router = APIRouter(prefix="/v1/deliveries", tags=["deliveries"])


@router.get(
    "",
    summary="List deliveries",
    responses=problems(JobNotFound, JobPurged, ObjectStoreUnavailable),
    dependencies=needs(Scope.READ),
)
async def list_deliveries(query: Annotated[DeliveriesQuery, Query()], deps: Deps, tenant: Tenant) -> DeliveriesAnswer:
    """Return the deliveries of your jobs and batches, newest first. They go with their job or batch."""
    found = await use_cases.deliveries_of(deps, tenant, query.job_id, query.state, query.limit)
    return DeliveriesAnswer.of(found)


@router.post(
    "/{delivery_id}/resend",
    status_code=202,
    summary="Send a delivery again",
    responses=problems(DeliveryNotFound, ObjectStoreUnavailable),
    dependencies=needs(Scope.SUBMIT),
)
async def resend_delivery(
    delivery_id: Annotated[str, Path(description="Id of the delivery.", examples=[examples.DELIVERY_ID])],
    query: NoQuery,
    deps: Deps,
    tenant: Tenant,
) -> DeliveryAnswer:
    """Send a delivery once more, under the same id and with the whole schedule of attempts."""
    return DeliveryAnswer.of(await use_cases.resend(deps, tenant, delivery_id))
