"""Does it live, is it ready: for Kubernetes and for people, without a key."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from parley_api.http.openapi import problems
from parley_api.runtime.readiness import Readiness
from parley_api.schemas import OkAnswer

router = APIRouter(tags=["health"])

Degraded = Annotated[
    bool,
    Query(
        description="Answer ok also while one part of two is there: without Redis submits are journalled, without the "
        "object store jobs can be read. For whatever decides where requests go."
    ),
]


@router.get("/healthz")
async def healthz() -> OkAnswer:
    """Answer while the process lives."""
    return OkAnswer()


@router.get("/livez")
async def livez() -> OkAnswer:
    """Answer while the process lives."""
    return OkAnswer()


@router.get("/readyz", responses=problems())
async def readyz(request: Request, degraded: Degraded = False) -> OkAnswer:
    """Answer ok, or 503 naming the part that is missing. Within 2 seconds."""
    readiness: Readiness = request.app.state.readiness
    await readiness.require(degraded)
    return OkAnswer()
