"""Holds what a container states about its own length against the bytes that are there.

Runs in the confined process only. Parses as little as the question needs, in plain Python, with every size checked.
"""

from __future__ import annotations

import os

from parley_audio.container import HEAD_BYTES, Container, id3_bytes
from parley_audio.reading.chunks import (
    Chunk,
    WalkChunks,
    aiff_chunks,
    asf_objects,
    caf_chunks,
    mp4_boxes,
    riff_chunks,
)
from parley_audio.reading.recording import size_of
from parley_core.errors import UnreadableRecording

WAV_SLACK_BYTES = 4096  # WAV writers that crashed or count their own header are off by less than this
ASF_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
RESEND = "The upload was cut off or the recorder did not finish the file. Send the whole file again."

DATA_CHUNKS: dict[Container, tuple[WalkChunks, bytes]] = {
    Container.WAV: (riff_chunks, b"data"),
    Container.AIFF: (aiff_chunks, b"SSND"),
    Container.CAF: (caf_chunks, b"data"),
    Container.WMA: (asf_objects, ASF_DATA),
}
"""How to walk a container, and the name of the chunk that holds its audio."""


def check_layout(descriptor: int, container: Container) -> None:
    """Raise UnreadableRecording if the container states more bytes than there are, or has too many parts."""
    length = size_of(descriptor)
    if container in DATA_CHUNKS:
        _check_data(descriptor, length, container)
    elif container is Container.MP4:
        _check_mp4(descriptor, length)
    elif container in {Container.WEBM, Container.MATROSKA}:
        _check_ebml(descriptor, length)


def _check_data(descriptor: int, length: int, container: Container) -> None:
    walk, name = DATA_CHUNKS[container]
    found = [chunk for chunk in walk(descriptor, length) if chunk.name == name]  # FFmpeg walks to the end as well
    if not found:
        raise UnreadableRecording(f"The {container.title} file has no data chunk. {RESEND}")
    data, slack = found[0], WAV_SLACK_BYTES if container is Container.WAV else 0
    if data.end is not None and data.end > length + slack:
        raise UnreadableRecording(
            f"The {container.title} header states {data.size} bytes of audio and {length - data.start} are there. "
            f"{RESEND}"
        )


def pcm_bytes(descriptor: int, container: Container) -> int:
    """Return how many bytes of audio a WAV, AIFF or CAF file that passed `check_layout` really holds."""
    walk, name = DATA_CHUNKS[container]
    length = size_of(descriptor)
    data = next(chunk for chunk in walk(descriptor, length) if chunk.name == name)
    there = length - data.start
    stated = there if data.size is None else min(data.size, there)
    return max(0, stated - _leading_bytes(descriptor, container, data))


def _leading_bytes(descriptor: int, container: Container, data: Chunk) -> int:
    """Return how many bytes of a data chunk come before the audio."""
    if container is Container.CAF:
        return 4  # the edit count
    if container is Container.AIFF:
        return 8 + int.from_bytes(os.pread(descriptor, 4, data.start), "big")  # offset, block size, then the offset
    return 0


def _check_mp4(descriptor: int, length: int) -> None:
    names = set()
    for box in mp4_boxes(descriptor, length):
        names.add(box.name)
        if box.end is not None and box.end > length:
            raise UnreadableRecording(
                f"The MP4 box '{box.name.decode('latin-1')}' continues after the end of the file. {RESEND}"
            )
    if b"moov" not in names:
        raise UnreadableRecording(f"The MP4 file has no index (moov box). {RESEND}")


def _check_ebml(descriptor: int, length: int) -> None:
    segment = _ebml_segment(os.pread(descriptor, HEAD_BYTES, 0))
    if segment is not None and segment.size is not None and segment.start + segment.size > length:
        raise UnreadableRecording(
            f"The WebM segment states {segment.size} bytes and {length - segment.start} are there. {RESEND}"
        )


def _ebml_segment(head: bytes) -> Chunk | None:
    """Return the Segment, which follows the EBML header (RFC 8794); a live recording states no size."""
    header_bytes, start = _ebml_size(head, 4)
    position = start + (header_bytes or 0)
    if head[position : position + 4] != b"\x18\x53\x80\x67":
        return None
    size, start = _ebml_size(head, position + 4)
    return Chunk(b"Segment", start, size)


def _ebml_size(head: bytes, position: int) -> tuple[int | None, int]:
    """Return a variable-length size, None if it is unknown, and where the content begins (RFC 8794, section 6)."""
    first = head[position] if position < len(head) else 0
    width = 9 - first.bit_length()
    if width > 8:
        return None, position + 1
    bits = 7 * width
    value = int.from_bytes(head[position : position + width], "big") & ((1 << bits) - 1)
    return (None if value == (1 << bits) - 1 else value), position + width


def flac_total_samples(descriptor: int) -> int:
    """Return the number of samples in STREAMINFO, 0 if it states none (RFC 9639, section 8.2)."""
    start = id3_bytes(os.pread(descriptor, HEAD_BYTES, 0))
    info = os.pread(descriptor, 42, start)
    if len(info) < 42:
        raise UnreadableRecording(f"The FLAC file ends inside its header. {RESEND}")
    return int.from_bytes(info[21:26], "big") & ((1 << 36) - 1)
