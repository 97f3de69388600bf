"""A real Chromium for tests, and what it says about a page."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.support.waiting import HANG_SECONDS

AXE = Path(__file__).parent / "axe" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
NAMES = ("chromium", "chromium-browser", "google-chrome")
expect.set_options(timeout=HANG_SECONDS * 1000)

ARGUMENTS = ("--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--mute-audio")


def find_chromium() -> str:
    """Return the browser's path. Skips the test without one, and fails it in continuous integration."""
    found = os.environ.get("PARLEY_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        why = "Chromium is missing: `apt-get install chromium`, or name one in PARLEY_CHROMIUM."
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    return str(found)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium without a window."""
    path = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """A page whose console and network are watched: `faults` are its errors, `foreign` requests to other origins."""

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self.page: Page = context.new_page()
        self.faults: list[str] = []
        self.foreign: list[str] = []
        self._host = urlsplit(origin).netloc
        context.on("request", self._look)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", self._listen)

    def _listen(self, said: ConsoleMessage) -> None:
        if said.type == "error" and not said.text.startswith("Failed to load resource"):  # a 4xx, which tests look for
            self.faults.append(said.text)

    def _look(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme != "blob" and parts.netloc != self._host:
            self.foreign.append(request.url)


def violations(page: Page) -> list[str]:
    """Return what axe finds: rule, and the first element of each."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())  # through the debugger: the page's policy allows no script of ours
    found: dict[str, Any] = page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:160]} {one['nodes'][0]['failureSummary']}"
        for one in found["violations"]
    ]
