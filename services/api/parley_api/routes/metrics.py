"""Metrics for Prometheus."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from parley_api.http.http_metrics import HttpMetrics
from parley_api.runtime.dependencies import Dependencies, Deps
from parley_api.runtime.readiness import Readiness
from parley_api.runtime.record_metrics import Snapshot, registry_of
from parley_core.errors import JobStoreUnavailable
from parley_core.logs import get_logger

router = APIRouter(tags=["health"])
log = get_logger(__name__)


class _Both(CollectorRegistry):
    """The record's numbers and this process's own."""

    def __init__(self, *registries: CollectorRegistry) -> None:
        super().__init__()
        for registry in registries:
            self.register(registry)


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request, deps: Deps) -> Response:
    """Return the counters of the record and of this process, as Prometheus text or OpenMetrics by `Accept`."""
    own: HttpMetrics = request.app.state.http_metrics
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    readiness: Readiness = request.app.state.readiness
    snapshot, missing = await asyncio.gather(_snapshot(deps), readiness.missing())
    body = encode(_Both(registry_of(snapshot, missing), own.registry))
    return Response(body, headers={"Content-Type": content_type})


async def _snapshot(deps: Dependencies) -> Snapshot | None:
    calls, store = deps.calls, deps.store
    try:
        return Snapshot(
            await calls.store(store.stats), await calls.store(store.queues), await calls.store(store.health)
        )
    except JobStoreUnavailable:
        log.warning("metrics without the record's: the job store does not answer")
        return None
