"""Liveness and readiness, for Kubernetes and for people, without a key; and what a server has checked, with one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from parley_api.http.errors import InvalidOption, NotReady
from parley_api.http.openapi import open_problems, problems
from parley_api.routes.context import Caller, Deps, NoQuery, needs
from parley_api.runtime.keys import Scope
from parley_api.schemas import OkAnswer, ReadyAnswer
from parley_api.schemas.base import Flag
from parley_api.schemas.health import HealthAnswer
from parley_api.use_cases.health import health_of
from parley_audio import missing_confinement

router = APIRouter(tags=["health"])

Degraded = Annotated[
    Flag,
    Query(
        description="Answer 200 with one of two stores too. Without Redis submits are accepted; without the object "
        "store jobs can be read. For load balancers."
    ),
]


@router.get("/healthz", summary="Liveness")
async def healthz() -> OkAnswer:
    """Answer while the process lives."""
    return OkAnswer()


@router.get("/livez", summary="Liveness")
async def livez() -> OkAnswer:
    """Answer while the process lives."""
    return OkAnswer()


@router.get("/readyz", summary="Readiness", responses=open_problems(NotReady, InvalidOption))
async def readyz(deps: Deps, degraded: Degraded = False) -> ReadyAnswer:
    """Answer within 2 seconds: ok, or 503 with the components that are down."""
    await deps.readiness.require(degraded)
    return ReadyAnswer(decoder_lacks=list(missing_confinement()), transcribes=bool(deps.settings.asr_url))


@router.get("/v1/health", summary="Read the checks", responses=problems(), dependencies=needs(Scope.READ))
async def health(query: NoQuery, deps: Deps, caller: Caller) -> HealthAnswer:
    """Return what the server has checked: stores, keeper, queues with their workers, disk.

    It names no host. Why a store is down is for keys with the scope `admin`.
    """
    return await health_of(deps, reasons=Scope.ADMIN in caller.scopes)
