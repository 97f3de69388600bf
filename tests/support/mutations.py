"""Recordings with a change that nobody planned: the same number gives the same bytes, run after run.

Coverage of the code would not guide: what reads recordings is FFmpeg, built without instruments. So the changes know
what breaks readers: sizes at their limits, parts twice or missing, two formats in one file.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from functools import cache

from tests.support.formats import FORMATS

SECONDS = 0.5
EXTREMES = (0, 1, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFE, 0xFFFF_FFFF)
HEAD_BYTES = 300  # headers are here: half of the changes go there
TEXTS = (b"#EXTM3U\nfile:///etc/passwd\n", b"ffconcat version 1.0\nfile /etc/passwd\n", b"PK\x03\x04", b"ID3\x04")
LONGEST = 2_000_000  # bytes of a changed recording

Change = Callable[[bytearray, random.Random], bytearray]


def mutant(number: int) -> tuple[str, bytes]:
    """Return the name of the format that was changed, and the bytes."""
    chance = random.Random(number)
    name = chance.choice(NAMES)
    data = bytearray(_whole(name))
    for _ in range(chance.choice((1, 1, 2, 4))):
        data = chance.choice(CHANGES)(data, chance)[:LONGEST]
    return name, bytes(data)


@cache
def _whole(name: str) -> bytes:
    return FORMATS[name][1](SECONDS)


NAMES = tuple(FORMATS)


def place(data: bytearray, chance: random.Random) -> int:
    """Return a position, half of the time in the headers."""
    end = min(len(data), HEAD_BYTES) if chance.random() < 0.5 else len(data)
    return chance.randrange(end) if end else 0


def stretch(data: bytearray, chance: random.Random) -> slice:
    start = place(data, chance)
    return slice(start, start + chance.choice((1, 4, 8, 100, 2000)))


def set_bytes(data: bytearray, chance: random.Random) -> bytearray:
    for _ in range(chance.choice((1, 10, 200))):
        if data:
            data[place(data, chance)] = chance.randrange(256)
    return data


def set_size(data: bytearray, chance: random.Random) -> bytearray:
    """Write a number at its limit where a size, a rate or a count may be."""
    start = place(data, chance)
    data[start : start + 4] = struct.pack(chance.choice(("<I", ">I")), chance.choice(EXTREMES))
    return data


def cut(data: bytearray, chance: random.Random) -> bytearray:
    return data[: place(data, chance)]


def remove(data: bytearray, chance: random.Random) -> bytearray:
    del data[stretch(data, chance)]
    return data


def repeat(data: bytearray, chance: random.Random) -> bytearray:
    part = stretch(data, chance)
    return data[: part.stop] + data[part] * chance.choice((1, 10, 5000)) + data[part.stop :]


def blank(data: bytearray, chance: random.Random) -> bytearray:
    part = stretch(data, chance)
    data[part] = bytes([chance.choice((0, 255))]) * len(data[part])
    return data


def join(data: bytearray, chance: random.Random) -> bytearray:
    """Go on with the middle of a recording in another format."""
    other = bytearray(_whole(chance.choice(NAMES)))
    return data[: place(data, chance)] + other[place(other, chance) :]


def put_text(data: bytearray, chance: random.Random) -> bytearray:
    """Put the beginning of a playlist, an archive or a tag in front, into the middle or at the end."""
    start = chance.choice((0, place(data, chance), len(data)))
    return data[:start] + chance.choice(TEXTS) + data[start:]


CHANGES: tuple[Change, ...] = (set_bytes, set_size, set_size, cut, remove, repeat, blank, join, put_text)
