"""Metrics for Prometheus."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics.exposition import ALLOWUTF8
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics

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
    encode, content_type = _encoder(request.headers.get("accept", ""))
    return Response(encode(registry), headers={"Content-Type": content_type})


def _encoder(accept: str) -> tuple[Callable[[CollectorRegistry], bytes], str]:
    """Return the encoder that the caller asks for, and its media type."""
    encode, content_type = choose_encoder(accept)
    if isinstance(encode, partial) and encode.func is openmetrics:
        # No name of ours needs to be escaped. Looking at each of their letters is most of the work of a scrape.
        encode = partial(encode, escaping=ALLOWUTF8)
    return encode, content_type


async def _snapshot(deps: Dependencies) -> Snapshot | None:
    store = deps.blocking.store
    try:
        stats, queues = await store(deps.store.stats), await store(deps.store.queues)
        return Snapshot(stats, queues, await store(deps.store.health))
    except (JobStoreUnavailable, JobStoreUnusable):
        log.warning("metrics without the record's values: the job store does not answer")
        return None
