"""Recordings whose headers are false, or that are two things at once. bombs.py has those whose structure is hostile."""

from __future__ import annotations

import struct
from collections.abc import Callable

from tests.support.bombs import box, id3, inserted, mp4_in_index, riff_chunk, sound
from tests.support.containers import flac, pcm, silent_flac, wav_that_claims

PLAYLIST = b"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
CONCAT = b"ffconcat version 1.0\nfile /etc/passwd\n"


def overwritten(name: str, position: int, part: bytes) -> bytes:
    whole = sound(name)
    return whole[:position] + part + whole[position + len(part) :]


def mp4_of_another_file() -> bytes:
    """Return an MP4 whose samples are in /etc/passwd, by its data reference."""
    outside = box(b"url ", struct.pack(">I", 0) + b"file:///etc/passwd\0")
    inside = box(b"url ", struct.pack(">I", 1))
    return sound("mp4").replace(inside, outside[: len(inside)], 1) + box(b"dref", bytes(8) + outside)


REFUSED: dict[str, Callable[[], bytes]] = {
    "playlist": lambda: PLAYLIST,
    "list of files": lambda: CONCAT,
    "session description": lambda: b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n",
    "playlist behind an ID3 tag": lambda: b"ID3\x04\0\0\0\0\0\0" + PLAYLIST,
    "archive": lambda: b"PK\x03\x04" + bytes(30) + flac(0.5),
    "page": lambda: b"<!DOCTYPE html><script>alert(1)</script>" + flac(0.5),
    "wav without channels": lambda: overwritten("wav 16 bit", 22, struct.pack("<H", 0)),
    "wav of 65,535 channels": lambda: overwritten("wav 16 bit", 22, struct.pack("<H", 65_535)),
    "wav of 1 Hz": lambda: wav_that_claims(1, 32_000),
    "wav of 655,350 Hz": lambda: wav_that_claims(655_350, 32_000),
    "wav that claims ten hours": lambda: wav_that_claims(16_000, 36_000 * 32_000),
    "aiff whose rate is no number": lambda: overwritten("aiff", 28, b"\x7f\xff" + b"\xff" * 8),
    "flac of 2^36 samples": lambda: overwritten("flac", 21, b"\xff" * 5),
    "ten hours of silence in a megabyte": lambda: silent_flac(10),
    "the first half of a flac": lambda: flac(3)[:40_000],
    "the head of an mp4 alone": lambda: sound("mp4")[:40],
}
"""No caller gets a job for these."""

ALLOWED: dict[str, Callable[[], bytes]] = {
    "wav and archive": lambda: pcm(1, 16_000, 1) + b"PK\x03\x04" + bytes(2000),
    "mp3 and playlist": lambda: sound("mp3") + PLAYLIST,
    "wav in a wav": lambda: inserted("wav 16 bit", 36, riff_chunk(b"JUNK", sound("wav 16 bit"))),
    "tags in tags": lambda: inserted("wav 16 bit", 36, riff_chunk(b"id3 ", id3()[:1000])),
    "mp4 that names another file": mp4_of_another_file,
    "mp4 in an mp4": lambda: mp4_in_index(box(b"free", sound("mp4"))),
}
"""These may be read or refused; they reach nothing else."""
