"""A recording on disk, read in chunks, once per try of the request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

CHUNK_BYTES = 256 * 1024  # the memory that an upload needs

# Media types by suffix; the server looks at the bytes themselves. `mimetypes` differs between machines.
MEDIA_TYPES = {
    ".aac": "audio/aac",
    ".aif": "audio/aiff",
    ".aiff": "audio/aiff",
    ".amr": "audio/amr",
    ".caf": "audio/x-caf",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".mka": "audio/x-matroska",
    ".mp3": "audio/mpeg",
    ".mp4": "audio/mp4",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".wav": "audio/wav",
    ".webm": "audio/webm",
    ".wma": "audio/x-ms-wma",
}
UNKNOWN_MEDIA_TYPE = "application/octet-stream"

OnBytes = Callable[[int, int], None]
"""Called with the number of bytes sent so far and the total."""


class Upload:
    """The body of a submit.

    Raises:
        OSError: the file cannot be read.
    """

    def __init__(self, path: Path, on_bytes: OnBytes | None = None) -> None:
        self._path = path
        self._on_bytes = on_bytes
        self._bytes = path.stat().st_size

    @property
    def headers(self) -> dict[str, str]:
        """Media type and length. With the length the server can refuse a large recording before it is sent."""
        media_type = MEDIA_TYPES.get(self._path.suffix.lower(), UNKNOWN_MEDIA_TYPE)
        return {"Content-Type": media_type, "Content-Length": str(self._bytes)}

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes from the beginning."""
        sent = 0
        with self._path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
                sent += len(chunk)
                self._report(sent)

    async def async_chunks(self) -> AsyncIterator[bytes]:
        """Yield the bytes from the beginning; reads in a thread, so that the event loop is not blocked."""
        sent = 0
        with await asyncio.to_thread(self._path.open, "rb") as file:
            while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
                yield chunk
                sent += len(chunk)
                self._report(sent)

    def _report(self, sent: int) -> None:
        if self._on_bytes is not None:
            self._on_bytes(sent, self._bytes)
