"""What a tenant has used."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from parley_api.formats.choice import prefers
from parley_api.formats.focus import to_focus
from parley_api.http.openapi import problems
from parley_api.routes.context import Deps, Tenant, needs
from parley_api.runtime.keys import Scope
from parley_api.schemas import UsageAnswer, UsageQuery

router = APIRouter(tags=["usage"])


CSV = "text/csv"
FOCUS: dict[int | str, dict[str, Any]] = {200: {"content": {CSV: {"schema": {"type": "string"}}}}}


@router.get(
    "/v1/usage",
    summary="Read your usage",
    response_model=UsageAnswer,
    responses={**FOCUS, **problems()},
    dependencies=needs(Scope.READ),
)
async def usage(
    request: Request, response: Response, query: Annotated[UsageQuery, Query()], deps: Deps, tenant: Tenant
) -> Response | UsageAnswer:
    """Return what your tenant has used, by day and queue. Days are those of UTC, and are kept for 400 days.

    As `text/csv` it has the columns of FOCUS 1.2, the FinOps Open Cost and Usage Specification, with costs of 0, since
    Parley has no prices. Columns that begin with `x_` are its own.
    """
    first, last = query.period()
    usages = await deps.blocking.store(deps.store.usage, tenant, first, last)
    response.headers["Vary"] = "Accept"
    accept = ", ".join(request.headers.getlist("accept"))
    if query.format == "csv" or (query.format is None and prefers(accept, CSV, "application/json")):
        name = f"parley-usage-{first}-{last}.csv"
        headers = {"Vary": "Accept", "Content-Disposition": f'attachment; filename="{name}"'}
        return Response(to_focus(tenant, usages), media_type=CSV, headers=headers)
    return UsageAnswer.of(first, last, usages)
