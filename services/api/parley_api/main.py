"""The HTTP API as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from parley_api.http import openapi, problems
from parley_api.http.http_metrics import HttpMetrics
from parley_api.http.middleware import RequestMiddleware
from parley_api.routes import consult, health, jobs, metrics, queues, turns, voiceprints
from parley_api.runtime.dependencies import Dependencies, connect
from parley_api.runtime.readiness import Readiness
from parley_core import __version__
from parley_core.settings import Settings


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    deps: Dependencies = app.state.deps
    await deps.calls.probe(deps.audio.warm)
    async with deps.changes.running():
        yield


def create_app(settings: Settings, deps: Dependencies | None = None) -> FastAPI:
    """Return the API on the ports of the settings, or on the given ones.

    Raises:
        UnsafeSettings: the API keys file cannot be used.
    """
    app = FastAPI(
        title="Parley",
        version=__version__,
        description=openapi.DESCRIPTION,
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # It would send exception messages, which may hold anything, to whatever collector the environment names.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.deps = deps or connect(settings)
    app.state.readiness, app.state.http_metrics = Readiness(app.state.deps), HttpMetrics()
    problems.install(app)
    for module in (jobs, turns, voiceprints, consult, queues, health, metrics):
        app.include_router(module.router)
    openapi.install_docs(app)
    openapi.describe_access(app, needs_key=app.state.deps.keys is not None)
    app.add_middleware(RequestMiddleware, metrics=app.state.http_metrics)
    return app
