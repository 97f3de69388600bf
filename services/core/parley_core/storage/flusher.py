"""The call that makes a store's disk safe: see PARLEY_OBJECTS_FLUSH_URL."""

from __future__ import annotations

import ssl
from pathlib import Path
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener


class Flusher:
    """Calls an address inside the cluster, past any proxy.

    Args:
        url: of the flusher.
        authorities: file with certificates that are trusted beside those of the system.
    """

    def __init__(self, url: str, authorities: Path | None) -> None:
        self._request = Request(url, method="POST")  # noqa: S310  # an address of the settings
        handlers: list[ProxyHandler | HTTPSHandler] = [ProxyHandler({})]
        if url.startswith("https:"):
            context = ssl.create_default_context()
            if authorities:
                context.load_verify_locations(authorities)
            handlers.append(HTTPSHandler(context=context))
        self._opener = build_opener(*handlers)

    def flush(self, seconds: float) -> None:
        """Return when the disk is flushed. Raises OSError, also for any other answer."""
        self._opener.open(self._request, timeout=seconds).close()
