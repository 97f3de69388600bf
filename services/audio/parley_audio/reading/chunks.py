"""Walks the chunks of a recording: RIFF, AIFF and CAF chunks, MP4 boxes, ASF objects.

Runs in the confined process only. A walk reads the heads of chunks, never their content, and ends at `MAX_CHUNKS`:
20 MB can hold 2.5 million empty ones, and FFmpeg and this module both look at each.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from parley_core.errors import UnreadableRecording

MAX_CHUNKS = 100_000  # four hours of fragmented MP4 have 58,000 boxes at two a second; walking them takes 0.2 s
HEAD_BYTES = 24  # the longest head: an ASF object's identifier and size
STREAMED_FROM = 0x7FFF_F000  # WAV sizes from here on are what pipe writers put where the size is not known


@dataclass(frozen=True, slots=True)
class Chunk:
    """A named part of a file: where its content begins, and the size it states, None if it states none."""

    name: bytes
    start: int
    size: int | None

    @property
    def end(self) -> int | None:
        """Where the content ends by the stated size."""
        return None if self.size is None else self.start + self.size


ReadHead = Callable[[bytes, int], Chunk]
"""Reads the head of a chunk that begins at this position."""
WalkChunks = Callable[[int, int], Iterator[Chunk]]
"""Walks the chunks of an open file of this length."""


def riff_chunks(descriptor: int, length: int) -> Iterator[Chunk]:
    """Yield the chunks of a WAV or RF64 file (EBU Tech 3306); one of unknown size is the last."""
    data_bytes: int | None = None

    def read_head(head: bytes, position: int) -> Chunk:
        nonlocal data_bytes
        name, size = struct.unpack("<4sI", head[:8])
        if name == b"ds64":
            data_bytes = struct.unpack("<8xQ", head[8:24].ljust(16, b"\0"))[0]
        if name != b"data" or 0 < size < STREAMED_FROM:
            return Chunk(name, position + 8, size)
        return Chunk(name, position + 8, (data_bytes or None) if size == 0xFFFF_FFFF else None)

    yield from _walk(descriptor, length, 12, read_head, padding=2)


def aiff_chunks(descriptor: int, length: int) -> Iterator[Chunk]:
    """Yield the chunks of an AIFF or AIFF-C file (Apple, AIFF 1.3, section 2)."""

    def read_head(head: bytes, position: int) -> Chunk:
        name, size = struct.unpack(">4sI", head[:8])
        return Chunk(name, position + 8, size)

    yield from _walk(descriptor, length, 12, read_head, padding=2)


def caf_chunks(descriptor: int, length: int) -> Iterator[Chunk]:
    """Yield the chunks of a CAF file (Apple, Core Audio Format, version 1); a size of -1 reaches to the end."""

    def read_head(head: bytes, position: int) -> Chunk:
        name, size = struct.unpack(">4sq", head[:12].ljust(12, b"\0"))
        return Chunk(name, position + 12, size if size >= 0 else None)

    yield from _walk(descriptor, length, 8, read_head)


def mp4_boxes(descriptor: int, length: int) -> Iterator[Chunk]:
    """Yield the top-level boxes (ISO 14496-12, section 4.2); one of size zero reaches to the end."""

    def read_head(head: bytes, position: int) -> Chunk:
        size, name = struct.unpack(">I4s", head[:8])
        head_bytes = 8
        if size == 1 and len(head) >= 16:
            size, head_bytes = struct.unpack(">8xQ", head[:16])[0], 16
        return Chunk(name, position + head_bytes, size - head_bytes if size >= head_bytes else None)

    yield from _walk(descriptor, length, 0, read_head)


def asf_objects(descriptor: int, length: int) -> Iterator[Chunk]:
    """Yield the top-level objects of an ASF file (Microsoft, ASF 1.2, section 2.2), named by their identifiers."""

    def read_head(head: bytes, position: int) -> Chunk:
        name, size = struct.unpack("<16sQ", head.ljust(24, b"\0"))
        return Chunk(name, position + 24, size - 24 if size >= 24 else None)

    yield from _walk(descriptor, length, 0, read_head)


def _walk(descriptor: int, length: int, position: int, read_head: ReadHead, padding: int = 1) -> Iterator[Chunk]:
    """Yield chunks up to the end of the file, or to one that is longer than the file or of unknown size.

    Args:
        descriptor: an open file.
        length: how long it is.
        position: where the first chunk begins.
        read_head: reads the head of one.
        padding: chunks begin at multiples of this.

    Raises:
        UnreadableRecording: there are more than `MAX_CHUNKS`.
    """
    for _ in range(MAX_CHUNKS):
        head = os.pread(descriptor, HEAD_BYTES, position)
        if len(head) < 8:
            return
        chunk = read_head(head, position)
        yield chunk
        if chunk.end is None or chunk.end > length:
            return
        position = chunk.end + chunk.end % padding
    raise UnreadableRecording(
        f"The recording has more than {MAX_CHUNKS} parts (chunks or boxes). Convert it to FLAC or WAV and send that."
    )
