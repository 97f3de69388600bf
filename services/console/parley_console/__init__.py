"""The web console: files for the browser, and the picture of a timeline. The API serves both."""

from __future__ import annotations

from pathlib import Path

FILES = Path(__file__).parent / "static"
"""Folder of the files that browsers load. Nothing is built: what lies here is what browsers run."""

PAGE = FILES / "index.html"
"""The one page. Its script shows the view that belongs to the path."""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' blob:; "
    "media-src 'self' blob:; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""Nothing inline and nothing from another origin. `blob:` is a recording or a picture that the page has fetched with
its key; a picture runs no scripts."""
