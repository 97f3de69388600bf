"""Refuses requests that two readers would read differently, before anything is done."""

from __future__ import annotations

from collections import Counter
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from parley_api.http.errors import InvalidOption, UnsupportedBody
from parley_api.http.problems import from_error
from parley_core.errors import ParleyError

SINGLE = ("Authorization", "Content-Type", "Range", "Tus-Resumable", "Upload-Length", "Upload-Offset")
SHOWN_NAME = 40  # characters of a name that a problem repeats
NO_CODING = ("", "identity")


class RefuseAmbiguity:
    """Refuses a query parameter or a header that is given twice, and bodies with a `Content-Encoding`.

    Of two values, a proxy that checks requests may see the one and this server the other. A body that is compressed
    would be taken for what it is not.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = _ambiguity(scope) if scope["type"] == "http" else None
        if error is None:
            await self._app(scope, receive, send)
            return
        answer = from_error(error)
        if isinstance(error, UnsupportedBody):
            answer.headers["accept-encoding"] = "identity"
        await answer(scope, receive, send)


def _ambiguity(scope: Scope) -> ParleyError | None:
    headers = Headers(scope=scope)
    for name in SINGLE:
        if len(headers.getlist(name)) > 1:
            return InvalidOption(f"`{name}` is given twice.")
    if headers.get("content-encoding", "").strip().lower() not in NO_CODING:
        return UnsupportedBody("Send the body without `Content-Encoding`.")
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    for name, count in Counter(name for name, _ in query).items():
        if count > 1:
            return InvalidOption(f"`{name[:SHOWN_NAME]}` is given twice.")
    return None
