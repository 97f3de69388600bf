"""Metrics for Prometheus."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from parley_api.routes.context import Deps
from parley_api.runtime.dependencies import Dependencies
from parley_api.runtime.record_metrics import RecordCollector, Snapshot
from parley_core.errors import JobStoreUnavailable, JobStoreUnusable
from parley_core.logs import get_logger

router = APIRouter(tags=["health"])
log = get_logger(__name__)


@router.get("/metrics", summary="Metrics for Prometheus", response_class=PlainTextResponse)
async def metrics(request: Request, deps: Deps) -> Response:
    """Return the metrics of the record and of this process, as Prometheus text or OpenMetrics by `Accept`."""
    snapshot, down = await asyncio.gather(_snapshot(deps), deps.readiness.down())
    registry = CollectorRegistry()
    registry.register(RecordCollector(snapshot, down))
    registry.register(deps.expiries)
    registry.register(deps.audit)
    registry.register(deps.http_metrics.registry)
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(registry), headers={"Content-Type": content_type})


async def _snapshot(deps: Dependencies) -> Snapshot | None:
    store = deps.blocking.store
    try:
        stats, queues = await store(deps.store.stats), await store(deps.store.queues)
        return Snapshot(stats, queues, await store(deps.store.health))
    except (JobStoreUnavailable, JobStoreUnusable):
        log.warning("metrics without the record's values: the job store does not answer")
        return None
