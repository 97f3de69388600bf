"""Recordings on the command line: files, and links that the server fetches."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import typer

from parley._calls import is_link


@dataclass(frozen=True, slots=True)
class Link:
    """A link to a recording. Only `url` holds its query, which may be a signature."""

    url: str

    def __str__(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname or parts.netloc}{parts.path}"

    @property
    def name(self) -> str:
        return PurePosixPath(unquote(urlsplit(self.url).path)).name or "recording"

    @property
    def stem(self) -> str:
        return PurePosixPath(self.name).stem


Source = Path | Link
"""Where a recording is."""


def source_of(text: str) -> Source:
    """Return the file or the link that an argument means. Raises BadParameter if there is no such file."""
    if is_link(text):
        return Link(text)
    path = Path(text)
    if not path.exists():
        raise typer.BadParameter(f"File '{text}' does not exist.")
    if path.is_dir():
        raise typer.BadParameter(f"File '{text}' is a directory.")
    if not os.access(path, os.R_OK):
        raise typer.BadParameter(f"File '{text}' is not readable.")
    return path
