"""How busy the queues are."""

from __future__ import annotations

from fastapi import APIRouter

from parley_api.http.openapi import problems
from parley_api.routes.context import Deps, NoQuery, Tenant, needs
from parley_api.runtime.keys import Scope
from parley_api.schemas import QueueAnswer, QueuesAnswer

router = APIRouter(tags=["queues"])


@router.get("/v1/queues", summary="Read the queues", responses=problems(), dependencies=needs(Scope.READ))
async def queues(query: NoQuery, deps: Deps, tenant: Tenant) -> QueuesAnswer:
    """Return the jobs and workers of each queue, over all tenants."""
    statuses = await deps.blocking.store(deps.store.queues)
    return QueuesAnswer(queues=[QueueAnswer.of(status) for status in statuses])
