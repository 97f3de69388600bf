"""A recording on its way to the server: read in pieces, as often as a retry needs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

PIECE_BYTES = 256 * 1024  # all that an upload holds in memory

# What a suffix says; the server looks at the bytes themselves. `mimetypes` differs between machines.
MEDIA_TYPES = {
    ".aac": "audio/aac",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".mp3": "audio/mpeg",
    ".mp4": "audio/mp4",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".wav": "audio/wav",
    ".webm": "audio/webm",
}
UNKNOWN_MEDIA_TYPE = "application/octet-stream"

OnBytes = Callable[[int, int], None]
"""Told the bytes sent so far and the bytes in all."""


class Upload:
    """The bytes of one recording on disk, in pieces; each call of `pieces` begins anew."""

    def __init__(self, path: Path, on_bytes: OnBytes = lambda sent, total: None) -> None:
        self._path, self._on_bytes = path, on_bytes
        self.bytes = path.stat().st_size

    @property
    def headers(self) -> dict[str, str]:
        """The length up front lets the server refuse a recording that is too large before it is sent."""
        media_type = MEDIA_TYPES.get(self._path.suffix.lower(), UNKNOWN_MEDIA_TYPE)
        return {"Content-Type": media_type, "Content-Length": str(self.bytes)}

    def pieces(self) -> Iterator[bytes]:
        sent = 0
        with self._path.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                yield piece
                sent += len(piece)
                self._on_bytes(sent, self.bytes)
