"""A recording on disk, read in chunks, once per try of the request."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

CHUNK_BYTES = 256 * 1024  # the memory that an upload needs

# Media types by suffix; the server looks at the bytes themselves. `mimetypes` differs between machines.
MEDIA_TYPES = {
    ".3gp": "audio/3gpp",
    ".aac": "audio/aac",
    ".aif": "audio/aiff",
    ".aifc": "audio/aiff",
    ".aiff": "audio/aiff",
    ".amr": "audio/amr",
    ".awb": "audio/amr-wb",
    ".caf": "audio/x-caf",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".m4b": "audio/mp4",
    ".mka": "audio/x-matroska",
    ".mkv": "video/x-matroska",
    ".mp3": "audio/mpeg",
    ".mp4": "audio/mp4",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".wav": "audio/wav",
    ".wave": "audio/wav",
    ".weba": "audio/webm",
    ".webm": "audio/webm",
    ".wma": "audio/x-ms-wma",
}
UNKNOWN_MEDIA_TYPE = "application/octet-stream"

OnBytes = Callable[[int, int], None]
"""Called with the number of bytes sent so far and the total."""


class Upload:
    """The body of a submit: the recording itself, or a form with a transcript and the recording.

    Args:
        path: of the recording.
        on_bytes: called as the recording is sent.
        transcript: a file; None without one.

    Raises:
        OSError: a file cannot be read, or it is a pipe or a device, or it changes while it is sent.
    """

    def __init__(self, path: Path, on_bytes: OnBytes | None = None, transcript: Path | None = None) -> None:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise OSError(f"{path} is not a file. Write the recording to a file, and submit that.")
        self._path = path
        self._on_bytes = on_bytes
        self._bytes = found.st_size
        self._boundary = uuid4().hex
        self._head = b"" if transcript is None else self._part("transcript") + transcript.read_bytes()
        self._tail = b""
        if transcript is not None:
            self._head += b"\r\n" + self._part("audio")
            self._tail = f"\r\n--{self._boundary}--\r\n".encode()

    def _part(self, name: str) -> bytes:
        return (
            f'--{self._boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n\r\n'
        ).encode()

    @property
    def headers(self) -> dict[str, str]:
        """Media type and length. With the length the server can refuse a large recording before it is sent."""
        media_type = MEDIA_TYPES.get(self._path.suffix.lower(), UNKNOWN_MEDIA_TYPE)
        if self._head:
            media_type = f"multipart/form-data; boundary={self._boundary}"
        return {"Content-Type": media_type, "Content-Length": str(len(self._head) + self._bytes + len(self._tail))}

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes from the beginning."""
        sent = 0
        yield self._head
        with self._path.open("rb") as file:
            while sent < self._bytes:
                yield (chunk := _read(file, self._path, self._bytes, min(CHUNK_BYTES, self._bytes - sent)))
                sent += len(chunk)
                self._report(sent)
        yield self._tail

    async def async_chunks(self) -> AsyncIterator[bytes]:
        """Yield the bytes from the beginning; reads in a thread, so that the event loop is not blocked."""
        sent = 0
        yield self._head
        with await asyncio.to_thread(self._path.open, "rb") as file:
            while sent < self._bytes:
                count = min(CHUNK_BYTES, self._bytes - sent)
                yield (chunk := await asyncio.to_thread(_read, file, self._path, self._bytes, count))
                sent += len(chunk)
                self._report(sent)
        yield self._tail

    def _report(self, sent: int) -> None:
        if self._on_bytes is not None:
            self._on_bytes(sent, self._bytes)


class Part:
    """Some of the bytes of a recording: the body of a request that goes on with an upload.

    Args:
        path: of the recording.
        start, end: offsets of the bytes.
        total: length of the recording.
        on_bytes: called as the bytes are sent.
    """

    headers: Mapping[str, str]

    def __init__(self, path: Path, start: int, end: int, total: int, on_bytes: OnBytes | None) -> None:
        self._path, self._start, self._end = path, start, end
        self._total, self._on_bytes = total, on_bytes
        self.headers = {"Content-Type": "application/offset+octet-stream", "Content-Length": str(end - start)}

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes from the beginning."""
        at = self._start
        with self._path.open("rb") as file:
            file.seek(at)
            while at < self._end:
                yield (chunk := _read(file, self._path, self._total, min(CHUNK_BYTES, self._end - at)))
                at = self._report(at + len(chunk))

    async def async_chunks(self) -> AsyncIterator[bytes]:
        """Yield the bytes from the beginning; reads in a thread."""
        at = self._start
        with await asyncio.to_thread(self._path.open, "rb") as file:
            file.seek(at)
            while at < self._end:
                count = min(CHUNK_BYTES, self._end - at)
                yield (chunk := await asyncio.to_thread(_read, file, self._path, self._total, count))
                at = self._report(at + len(chunk))

    def _report(self, sent: int) -> int:
        if self._on_bytes is not None:
            self._on_bytes(sent, self._total)
        return sent


def _read(file: BinaryIO, path: Path, total: int, count: int) -> bytes:
    """Return the next bytes of a recording, `count` at most.

    Raises:
        OSError: its length is not `total` any more. A recorder still writes it, and its end would be missing.
    """
    chunk = file.read(count)
    if not chunk or os.fstat(file.fileno()).st_size != total:
        raise OSError(f"{path} changed while it was sent. Submit it again when it is complete.")
    return chunk
