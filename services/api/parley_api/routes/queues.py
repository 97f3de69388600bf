"""How busy the queues are."""

from __future__ import annotations

from fastapi import APIRouter

from parley_api.http.openapi import problems
from parley_api.routes.auth import Tenant
from parley_api.routes.jobs import Nothing
from parley_api.runtime.dependencies import Deps
from parley_api.schemas import QueueAnswer, QueuesAnswer

router = APIRouter(tags=["queues"])


@router.get("/v1/queues", responses=problems())
async def queues(query: Nothing, deps: Deps, tenant: Tenant) -> QueuesAnswer:
    """Return every queue's unfinished, waiting and running jobs, of all tenants."""
    statuses = await deps.calls.store(deps.store.queues)
    return QueuesAnswer(queues=[QueueAnswer.of(status) for status in statuses])
