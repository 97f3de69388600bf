"""The port of metrics: whoever reaches the API's port does not reach them."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send


class ByPort:
    """Serves the metrics alone on their port, and the API alone on the other one.

    Args:
        api: gets everything else, such as the messages about start and end of the process.
        metrics: gets the requests to `port`.
    """

    def __init__(self, api: ASGIApp, metrics: ASGIApp, port: int) -> None:
        self._api, self._metrics, self._port = api, metrics, port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        server = scope.get("server")
        await (self._metrics if server and server[1] == self._port else self._api)(scope, receive, send)
