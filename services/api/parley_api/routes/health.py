"""Does it live, is it ready: for Kubernetes and for people, without a key."""

from __future__ import annotations

from fastapi import APIRouter, Request

from parley_api.openapi import problems
from parley_api.readiness import Readiness
from parley_api.schemas import OkAnswer

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> OkAnswer:
    """Answer while the process lives."""
    return OkAnswer()


@router.get("/livez")
async def livez() -> OkAnswer:
    """Answer while the process lives."""
    return OkAnswer()


@router.get("/readyz", responses=problems())
async def readyz(request: Request) -> OkAnswer:
    """Answer ok, or 503 naming the part that is missing. Within 2 seconds."""
    readiness: Readiness = request.app.state.readiness
    await readiness.require()
    return OkAnswer()
