"""What a tenant has used."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from parley_api.http.openapi import problems
from parley_api.routes.context import Deps, Tenant, needs
from parley_api.runtime.keys import Scope
from parley_api.schemas import UsageAnswer, UsageQuery

router = APIRouter(tags=["usage"])


@router.get("/v1/usage", summary="Read your usage", responses=problems(), dependencies=needs(Scope.READ))
async def usage(query: Annotated[UsageQuery, Query()], deps: Deps, tenant: Tenant) -> UsageAnswer:
    """Return what your tenant has used, by day and queue. Days are those of UTC, and are kept for 400 days."""
    first, last = query.period()
    return UsageAnswer.of(first, last, await deps.blocking.store(deps.store.usage, tenant, first, last))
