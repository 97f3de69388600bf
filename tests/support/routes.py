"""The routes of the OpenAPI document, so that a test of all routes has the new ones too."""

from __future__ import annotations

from functools import cache
from typing import Any

from tests.support.api_fixture import ApiFixture

OF_LINKS = "/v1/shared"  # these take a shared link instead of a key
OPEN_TO_ALL = frozenset({"/healthz", "/livez", "/readyz", "/metrics"})


@cache
def openapi() -> dict[str, Any]:
    """Return the document, which is made once."""
    document: dict[str, Any] = ApiFixture().app().openapi()
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
