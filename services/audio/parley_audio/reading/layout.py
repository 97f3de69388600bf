"""What the bytes of a container say about its length, held against the bytes that are there.

Runs in the confined process only. Parses as little as the question needs, in plain Python, with every size checked.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from parley_audio.container import HEAD_BYTES, Container, id3_bytes
from parley_core.errors import UnreadableRecording

CHUNK_SLACK_BYTES = 4096  # writers that crashed or count their own header are off by less than this
STREAMED_FROM = 0x7FFF_F000  # WAV sizes from here on are what pipe writers put where the size is not known
MAX_BOXES = 1_000_000  # a fragmented MP4 of a day has fewer
RESEND = "The upload was cut off or the recorder did not finish the file. Send the whole file again."


@dataclass(frozen=True, slots=True)
class Chunk:
    """A named stretch of a file: where its content begins, its size by its own word, None when that is unknown."""

    name: bytes
    start: int
    size: int | None


def check_layout(descriptor: int, container: Container) -> None:
    """Raise UnreadableRecording when the container says that more bytes follow than do."""
    checks = {
        Container.WAV: _check_wav,
        Container.MP4: _check_mp4,
        Container.WEBM: _check_ebml,
        Container.MATROSKA: _check_ebml,
    }
    if container in checks:
        checks[container](descriptor, os.fstat(descriptor).st_size)


def _check_wav(descriptor: int, length: int) -> None:
    data = next((chunk for chunk in riff_chunks(descriptor, length) if chunk.name == b"data"), None)
    if data is None:
        raise UnreadableRecording(f"The WAV file has no data chunk. {RESEND}")
    if data.size is not None and data.start + data.size > length + CHUNK_SLACK_BYTES:
        raise UnreadableRecording(
            f"The WAV header promises {data.size} bytes of audio and {length - data.start} are there. {RESEND}"
        )


def wav_data_bytes(descriptor: int) -> int:
    """Return how many bytes of audio a WAV file that passed `check_layout` really holds."""
    length = os.fstat(descriptor).st_size
    data = next(chunk for chunk in riff_chunks(descriptor, length) if chunk.name == b"data")
    there = length - data.start
    return there if data.size is None else min(data.size, there)


def riff_chunks(descriptor: int, length: int) -> Iterator[Chunk]:
    """Yield the chunks of a WAV or RF64 file (EBU Tech 3306); one of unknown size is the last."""
    position, data_bytes = 12, None
    while position + 8 <= length:
        name, size = struct.unpack("<4sI", os.pread(descriptor, 8, position))
        if name == b"ds64":
            data_bytes = struct.unpack("<8xQ", os.pread(descriptor, 16, position + 8).ljust(16, b"\0"))[0]
        real = _data_bytes(size, data_bytes) if name == b"data" else size
        yield Chunk(name, position + 8, real)
        if real is None:
            return
        position += 8 + real + real % 2


def _data_bytes(size: int, from_ds64: int | None) -> int | None:
    if size == 0xFFFF_FFFF and from_ds64:
        return from_ds64
    return size if 0 < size < STREAMED_FROM else None


def _check_mp4(descriptor: int, length: int) -> None:
    names = set()
    for box in mp4_boxes(descriptor, length):
        names.add(box.name)
        if box.size is not None and box.start + box.size > length:
            raise UnreadableRecording(
                f"The MP4 box '{box.name.decode('latin-1')}' goes on behind the end of the file. {RESEND}"
            )
    if b"moov" not in names:
        raise UnreadableRecording(f"The MP4 file has no index (moov box). {RESEND}")


def mp4_boxes(descriptor: int, length: int) -> Iterator[Chunk]:
    """Yield the top-level boxes (ISO 14496-12, section 4.2); one of size zero reaches to the end."""
    position = 0
    for _ in range(MAX_BOXES):
        head = os.pread(descriptor, 16, position)
        if len(head) < 8:
            return
        size, name = struct.unpack(">I4s", head[:8])
        start = 8
        if size == 1 and len(head) == 16:
            size, start = struct.unpack(">Q", head[8:])[0], 16
        yield Chunk(name, position + start, size - start if size else None)
        if size < start or position + size > length:
            return
        position += size


def _check_ebml(descriptor: int, length: int) -> None:
    segment = _ebml_segment(os.pread(descriptor, HEAD_BYTES, 0))
    if segment is not None and segment.size is not None and segment.start + segment.size > length:
        raise UnreadableRecording(
            f"The WebM segment promises {segment.size} bytes and {length - segment.start} are there. {RESEND}"
        )


def _ebml_segment(head: bytes) -> Chunk | None:
    """Return the Segment, which follows the EBML header (RFC 8794); a live recording does not know its size."""
    header_bytes, start = _ebml_size(head, 4)
    position = start + (header_bytes or 0)
    if head[position : position + 4] != b"\x18\x53\x80\x67":
        return None
    size, start = _ebml_size(head, position + 4)
    return Chunk(b"Segment", start, size)


def _ebml_size(head: bytes, position: int) -> tuple[int | None, int]:
    """Return a variable-length size, None when unknown, and where the content begins (RFC 8794, section 6)."""
    first = head[position] if position < len(head) else 0
    width = 9 - first.bit_length()
    if width > 8:
        return None, position + 1
    bits = 7 * width
    value = int.from_bytes(head[position : position + width], "big") & ((1 << bits) - 1)
    return (None if value == (1 << bits) - 1 else value), position + width


def flac_total_samples(descriptor: int) -> int:
    """Return what STREAMINFO says, 0 when it does not know (RFC 9639, section 8.2)."""
    start = id3_bytes(os.pread(descriptor, HEAD_BYTES, 0))
    info = os.pread(descriptor, 42, start)
    if len(info) < 42:
        raise UnreadableRecording(f"The FLAC file ends inside its header. {RESEND}")
    return int.from_bytes(info[21:26], "big") & ((1 << 36) - 1)
