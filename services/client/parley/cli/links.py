"""Recordings on the command line: files, folders, and links that the server fetches."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import typer

from parley._calls import is_link
from parley._upload import MEDIA_TYPES


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


def sources_of(text: str) -> list[Source]:
    """Return the link or the file that an argument means, or the recordings in its folder.

    Raises:
        BadParameter: there is no such file, it is a pipe or a device, or the folder has no recording.
    """
    if is_link(text):
        return [Link(text)]
    path = Path(text)
    if path.is_dir():
        shown = sorted(one for one in path.rglob("*") if not one.name.startswith(".") and one.is_file())
        found: list[Source] = [one for one in shown if one.suffix.lower() in MEDIA_TYPES]
        if not found:
            raise typer.BadParameter(f"Folder '{text}' has no recordings ({', '.join(sorted(MEDIA_TYPES))}).")
        return found
    if not path.exists():
        raise typer.BadParameter(f"File '{text}' does not exist.")
    if not path.is_file():
        raise typer.BadParameter(f"'{text}' is not a file. Write the recording to a file, and submit that.")
    if not os.access(path, os.R_OK):
        raise typer.BadParameter(f"File '{text}' is not readable.")
    return [path]


def key_of(path: Path, options: Mapping[str, object]) -> str:
    """Return an idempotency key that depends on the file and the options: a second run gets the same job.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    digest.update(json.dumps([str(path.resolve()), options], sort_keys=True).encode(errors="replace"))
    return f"parley-submit-{digest.hexdigest()}"
