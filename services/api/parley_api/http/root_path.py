"""Parley under a prefix of a host, such as `/parley`, whether the proxy in front strips the prefix or keeps it."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from parley_api.schemas.paths import ROOT_PATH


class UnderRootPath:
    """Serves the application with and without the prefix. Paths in responses have it always.

    Args:
        root_path: the prefix, without a slash at its end.
    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app, self._root = app, root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_prefix(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                location = headers.get("location", "")
                if location.startswith("/"):
                    headers["location"] = self._root + location
            await send(message)

        path = scope["path"]
        kept = path == self._root or path.startswith(f"{self._root}/")
        inner = path.removeprefix(self._root) if kept else path
        below = {"path": f"{self._root}{inner or '/'}", "root_path": self._root}  # as ASGI has it: the whole path
        token = ROOT_PATH.set(self._root)
        try:
            await self._app({**scope, **below}, receive, send_with_prefix)
        finally:
            ROOT_PATH.reset(token)
