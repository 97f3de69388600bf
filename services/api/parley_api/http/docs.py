"""The page /docs: Swagger UI from an installed package, under a strict content security policy."""

from __future__ import annotations

import base64
import hashlib
import re

from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.types import Scope

ASSETS = "fastapi_swagger", "resources"
INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def page(title: str) -> HTMLResponse:
    """Return the page. Its policy allows its own files and its one inline script, by the script's hash."""
    html = get_swagger_ui_html(
        openapi_url="openapi.json",
        title=title,
        swagger_js_url="docs/swagger-ui-bundle.js",
        swagger_css_url="docs/swagger-ui.css",
        swagger_favicon_url="docs/favicon-32x32.png",
        swagger_ui_parameters={"persistAuthorization": False, "tryItOutEnabled": True},
    )
    hashes = [hashlib.sha256(script.encode()).digest() for script in INLINE_SCRIPT.findall(bytes(html.body).decode())]
    scripts = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in hashes)
    html.headers["Content-Security-Policy"] = (
        f"default-src 'none'; script-src 'self' {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return html


class Assets(StaticFiles):
    """The files of Swagger UI, which browsers may keep for a day."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "max-age=86400"
        return response


def install(app: FastAPI) -> None:
    """Serve the page and its files. Nothing is loaded from another origin."""
    router = APIRouter(include_in_schema=False)

    @router.get("/docs")
    async def docs() -> HTMLResponse:
        return page(app.title)

    app.include_router(router)
    app.mount("/docs", Assets(packages=[ASSETS]))
