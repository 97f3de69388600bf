"""The HTTP API as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig

from parley_api.http import cors, docs, error_handlers, openapi
from parley_api.http.ambiguity import RefuseAmbiguity
from parley_api.http.audit_trail import AuditMiddleware
from parley_api.http.connections import RefuseAmbiguousLength
from parley_api.http.middleware import RequestMiddleware
from parley_api.http.root_path import UnderRootPath
from parley_api.routes import (
    batches,
    console,
    consult,
    corrections,
    deliveries,
    events,
    health,
    jobs,
    keys,
    metrics,
    queues,
    recordings,
    shared,
    shares,
    transcripts,
    turns,
    uploads,
    usage,
    voiceprints,
)
from parley_api.runtime.dependencies import Dependencies, connect
from parley_core import __version__
from parley_core.settings import Settings

# It would send exception messages, which may hold patient data, to a collector.
NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}

RESOURCES = (
    jobs,
    batches,
    uploads,
    turns,
    corrections,
    transcripts,
    events,
    recordings,
    shares,
    shared,
    voiceprints,
    deliveries,
    keys,
    consult,
    queues,
    usage,
    health,
)
"""Modules with a router, in the order of the documentation."""


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    deps: Dependencies = app.state.deps
    await deps.blocking.probe(deps.probe.warm)
    deps.audit.note_start(deps.settings)
    async with deps.notifications.running():
        yield
    deps.audit.write("process.stop")
    deps.fetcher.close()


def create_app(settings: Settings, deps: Dependencies | None = None) -> FastAPI:
    """Return the API on the ports that the settings name, or on the given ones.

    Raises:
        UnsafeSettings: the API keys file cannot be used.
    """
    app = FastAPI(
        title="Parley",
        version=__version__,
        openapi_tags=openapi.TAGS,
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,  # generated clients name their functions by it
        telemetry=NO_TELEMETRY,
        servers=[{"url": settings.root_path}] if settings.root_path else None,
    )
    deps = deps or connect(settings)
    app.state.deps = deps
    error_handlers.install(app)
    for module in RESOURCES:
        app.include_router(module.router)
    if deps.keys is None and not settings.metrics_port:
        app.include_router(metrics.router)
    console.install(app)
    docs.install(app)
    openapi.install(app, needs_key=deps.keys is not None, max_speakers=settings.max_speakers)
    app.add_middleware(AuditMiddleware, audit=deps.audit)
    app.add_middleware(RefuseAmbiguity)
    app.add_middleware(RefuseAmbiguousLength, refused=deps.http_metrics.refuse)
    cors.install(app, settings.allowed_origins)
    app.add_middleware(RequestMiddleware, metrics=deps.http_metrics)  # around the others but the next
    if settings.root_path:
        app.add_middleware(UnderRootPath, root_path=settings.root_path)
    return app


def create_metrics_app(deps: Dependencies) -> FastAPI:
    """Return the application of the port of metrics: `/metrics` and nothing else."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False, telemetry=NO_TELEMETRY)
    app.state.deps = deps
    error_handlers.install(app)
    app.include_router(metrics.router)
    return app
