"""A running console: an API on a Valkey of its own, recordings on its shelf, and a browser."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser

from parley_core.settings import Settings
from tests.support.api_process import ApiProcess
from tests.support.browser import chromium
from tests.support.conversations import Shelf
from tests.support.valkey import Valkey


@contextmanager
def running_console() -> Iterator[tuple[ApiProcess, Shelf, Browser]]:
    """Start all three, and stop them at the end."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = Valkey(folder)
        server.start()
        settings = Settings(redis_url=server.url, objects_url=f"file://{folder}/objects")
        try:
            with ApiProcess(settings, folder / "api.log") as api, chromium() as browser:
                yield api, Shelf(settings), browser
        finally:
            server.kill()
