"""The routes of the OpenAPI document, so that a test of all routes has the new ones too."""

from __future__ import annotations

from typing import Any

from parley_api.main import create_app
from tests.support.api_fixture import ApiFixture

OF_LINKS = "/v1/shared"  # these take a shared link instead of a key
OPEN_TO_ALL = frozenset({"/healthz", "/livez", "/readyz", "/metrics"})


def openapi() -> dict[str, Any]:
    """Return the document."""
    api = ApiFixture()
    document: dict[str, Any] = create_app(api.settings, api.deps()).openapi()
    return document


def closed_routes() -> list[tuple[str, str]]:
    """Return method and pattern of each route that needs a key."""
    paths = openapi()["paths"]
    return sorted(
        (method.upper(), path)
        for path, methods in paths.items()
        for method in methods
        if path not in OPEN_TO_ALL and not path.startswith(OF_LINKS)
    )
