"""Recordings whose structure costs far more to read than to send: empty chunks, tags, streams, tiny packets, nesting.

Each builds on a sound recording, so that nothing but its structure is hostile.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable
from functools import cache

from tests.support.formats import FORMATS

MEGABYTES = 20 * 1000**2
TAGS = 100_000  # FFmpeg compares each tag with all before it: half a minute
REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))

ASF_HEADER_BYTES = 30
ASF_PADDING = bytes.fromhex("74d40618dfca0945a4ba9aabcb96aae8")
ASF_TAGS = bytes.fromhex("40a4d0d207e3d21197f000a0c95ea850")
EBML_SEGMENT, EBML_TAGS, EBML_CUES = b"\x18\x53\x80\x67", b"\x12\x54\xc3\x67", b"\x1c\x53\xbb\x6b"
EBML_UNKNOWN_SIZE = b"\x01" + b"\xff" * 7


@cache
def sound(name: str) -> bytes:
    """Return a second of the tone in a format of formats.py."""
    return FORMATS[name][1](1.0)


def repeated(part: bytes) -> bytes:
    return part * (MEGABYTES // len(part))


def names(number: int = TAGS) -> Iterable[bytes]:
    """Yield names of tags, all different."""
    return (b"%06x" % index for index in range(number))


def inserted(name: str, position: int, part: bytes) -> bytes:
    whole = sound(name)
    return whole[:position] + part + whole[position:]


# RIFF, AIFF, CAF


def riff_chunk(name: bytes, body: bytes = b"") -> bytes:
    return struct.pack("<4sI", name, len(body)) + body


def aiff_chunk(name: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">4sI", name, len(body)) + body


def caf_chunk(name: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">4sq", name, len(body)) + body


def in_wav(part: bytes) -> bytes:
    return inserted("wav 16 bit", 36, part)


def in_aiff(part: bytes) -> bytes:
    return inserted("aiff", 38, part)


def in_caf(part: bytes) -> bytes:
    return inserted("caf", 52, part)


def wav_info() -> bytes:
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    four = (bytes((a, b, c, d)) for a in letters for b in letters for c in letters for d in letters[:1])
    return in_wav(riff_chunk(b"LIST", b"INFO" + b"".join(riff_chunk(name, b"x\0") for name in four)))


def caf_info() -> bytes:
    return in_caf(caf_chunk(b"info", struct.pack(">I", TAGS) + b"".join(name + b"\0x\0" for name in names())))


# ID3, FLAC, Ogg


def id3() -> bytes:
    frames = b"".join(b"TXXX" + struct.pack(">IHB", 10, 0, 0) + name + b"\0x\0" for name in names())
    size = bytes(len(frames) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + size + frames


def comments() -> bytes:
    """Return Vorbis comments, as FLAC and Ogg have them."""
    return struct.pack("<II", 0, TAGS) + b"".join(struct.pack("<I", 8) + name + b"=x" for name in names())


def flac_comments() -> bytes:
    body = comments()
    whole = sound("flac")
    return whole[:42] + b"\x04" + len(body).to_bytes(3, "big") + body + whole[42:]


def ogg_page(serial: int, number: int, sizes: bytes, body: bytes, flags: int = 0) -> bytes:
    head = struct.pack("<4sBBqIIIB", b"OggS", 0, flags, 0, serial, number, 0, len(sizes)) + sizes
    return head[:22] + struct.pack("<I", ogg_checksum(head + body)) + head[26:] + body


def ogg_checksum(data: bytes) -> int:
    """Return zlib's checksum with the bits the other way round, which is Ogg's (RFC 3533, section 6)."""
    mirrored = zlib.crc32(data.translate(REVERSED), 0xFFFF_FFFF) ^ 0xFFFF_FFFF
    return int(f"{mirrored:032b}"[::-1], 2)


def ogg_pages(name: str) -> list[bytes]:
    return [b"OggS" + page for page in sound(name).split(b"OggS")[1:]]


def ogg_serial(page: bytes) -> int:
    return int.from_bytes(page[14:18], "little")


def ogg_comments() -> bytes:
    first, _, *rest = ogg_pages("ogg opus")
    packet = b"OpusTags" + comments()
    sizes = b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255])
    pages = [
        ogg_page(
            ogg_serial(first), number + 1, sizes[at : at + 255], packet[at * 255 : (at + 255) * 255], int(number > 0)
        )
        for number, at in enumerate(range(0, len(sizes), 255))
    ]
    return first + b"".join(pages) + b"".join(rest)


def ogg_empty_pages() -> bytes:
    first, *rest = ogg_pages("ogg opus")
    return first + repeated(ogg_page(ogg_serial(first), 1, b"", b"")) + b"".join(rest)


def ogg_streams() -> bytes:
    head = b"OpusHead\x01\x01\0\0\x80\xbb\0\0\0\0\0"
    others = (ogg_page(serial, 0, bytes([len(head)]), head, 2) for serial in range(20_000))
    return b"".join(others) + sound("ogg opus")


def ogg_tiny_packets() -> bytes:
    """Two and a half milliseconds in a byte, for as long as a recording may be."""
    pages = ogg_pages("ogg opus")
    return b"".join(pages) + repeated(ogg_page(ogg_serial(pages[0]), 9, b"\x01" * 255, b"\x80" * 255))


# MP4


def box(name: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(body), name) + body


def mp4_first(part: bytes) -> bytes:
    return inserted("mp4", int.from_bytes(sound("mp4")[:4], "big"), part)


def mp4_in_index(part: bytes) -> bytes:
    """Put boxes at the end of the box moov, whose size grows with them."""
    whole = sound("mp4")
    start = whole.index(b"moov") - 4
    size = int.from_bytes(whole[start : start + 4], "big")
    return whole[:start] + box(b"moov", whole[start + 8 : start + size] + part) + whole[start + size :]


def mp4_tags() -> bytes:
    tags = b"".join(
        box(
            b"----",
            box(b"mean", bytes(5)) + box(b"name", bytes(4) + name) + box(b"data", struct.pack(">IIB", 1, 0, 65)),
        )
        for name in names()
    )
    handler = box(b"hdlr", bytes(8) + b"mdirappl" + bytes(9))
    return mp4_in_index(box(b"udta", box(b"meta", bytes(4) + handler + box(b"ilst", tags))))


def mp4_nested() -> bytes:
    depth = MEGABYTES // 8
    return mp4_first(b"".join(struct.pack(">I4s", 8 * (depth - level), b"moov") for level in range(depth)))


# WebM


def element(name: bytes, body: bytes) -> bytes:
    return name + b"\x01" + len(body).to_bytes(7, "big") + body


def webm_first(part: bytes) -> bytes:
    """Put elements at the beginning of the segment, whose size becomes unknown."""
    whole = sound("webm")
    start = whole.index(EBML_SEGMENT)
    return whole[:start] + EBML_SEGMENT + EBML_UNKNOWN_SIZE + part + whole[start + 12 :]


def webm_tags() -> bytes:
    tags = b"".join(element(b"\x67\xc8", element(b"\x45\xa3", name) + element(b"\x44\x87", b"x")) for name in names())
    return webm_first(element(EBML_TAGS, element(b"\x73\x73", tags)))


# ASF


def asf_object(name: bytes, body: bytes = b"") -> bytes:
    return name + struct.pack("<Q", 24 + len(body)) + body


def asf_in_header(part: bytes) -> bytes:
    whole = sound("wma")
    size = int.from_bytes(whole[16:24], "little")
    return whole[:16] + struct.pack("<Q", size + len(part)) + whole[24:size] + part + whole[size:]


def asf_tags() -> bytes:
    half = TAGS // 2  # a descriptor object counts its tags in 16 bits
    tags = [struct.pack("<H", 14) + name.decode().encode("utf-16-le") + bytes(2) + struct.pack("<HHI", 0, 4, 120)
            for name in names()]  # fmt: skip
    objects = (asf_object(ASF_TAGS, struct.pack("<H", half) + b"".join(part)) for part in (tags[:half], tags[half:]))
    return asf_in_header(b"".join(objects))


PARTS, TAGGED, PACKETS = "more than 100000 parts", "too many parts or tags", "packets, the limit"

BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "wav, empty chunks first": (lambda: in_wav(repeated(riff_chunk(b"JUNK"))), PARTS),
    "wav, empty chunks last": (lambda: sound("wav 16 bit") + repeated(riff_chunk(b"JUNK")), PARTS),
    "wav, empty chunks and no audio": (lambda: sound("wav 16 bit")[:36] + repeated(riff_chunk(b"JUNK")), PARTS),
    "wav, lists of nothing": (lambda: in_wav(repeated(riff_chunk(b"LIST", b"INFO"))), PARTS),
    "wav, tags": (wav_info, TAGGED),
    "wav, ID3 tags": (lambda: in_wav(riff_chunk(b"id3 ", id3())), TAGGED),
    "aiff, empty chunks": (lambda: in_aiff(repeated(aiff_chunk(b"ANNO"))), PARTS),
    "aiff, ID3 tags": (lambda: in_aiff(aiff_chunk(b"ID3 ", id3())), TAGGED),
    "caf, empty chunks": (lambda: in_caf(repeated(caf_chunk(b"free"))), PARTS),
    "caf, tags": (caf_info, TAGGED),
    "mp3, ID3 tags": (lambda: id3() + sound("mp3"), TAGGED),
    "flac, tags": (flac_comments, TAGGED),
    "flac, empty blocks": (lambda: inserted("flac", 42, repeated(b"\x01\0\0\0")), ""),
    "ogg, tags": (ogg_comments, TAGGED),
    "ogg, empty pages": (ogg_empty_pages, ""),
    "ogg, streams": (ogg_streams, ""),
    "ogg, tiny packets": (ogg_tiny_packets, PACKETS),
    "amr, tiny packets": (lambda: b"#!AMR-WB\n" + repeated(b"\x7c"), ""),
    "mp4, empty boxes first": (lambda: mp4_first(repeated(box(b"free"))), PARTS),
    "mp4, empty boxes last": (lambda: sound("mp4") + repeated(box(b"free")), PARTS),
    "mp4, empty boxes in the index": (lambda: mp4_in_index(repeated(box(b"free"))), ""),
    "mp4, empty fragments": (lambda: sound("mp4") + repeated(box(b"moof", box(b"traf"))), PARTS),
    "mp4, empty tracks": (lambda: mp4_in_index(repeated(box(b"trak"))), ""),
    "mp4, tags": (mp4_tags, TAGGED),
    "mp4, nested boxes": (mp4_nested, ""),
    "webm, empty elements": (lambda: webm_first(repeated(b"\xec\x80")), ""),
    "webm, empty clusters": (lambda: webm_first(repeated(b"\x1f\x43\xb6\x75\x80")), ""),
    "webm, tracks": (lambda: webm_first(element(b"\x16\x54\xae\x6b", repeated(b"\xae\x80"))), ""),
    "webm, cues": (
        lambda: webm_first(element(EBML_CUES, repeated(b"\xbb\x8c\xb3\x81\1\xb7\x87\xf7\x81\1\xf1\x82\1\0"))),
        "",
    ),
    "webm, tags": (webm_tags, TAGGED),
    "wma, empty objects": (lambda: sound("wma") + repeated(asf_object(ASF_PADDING)), PARTS),
    "wma, empty objects in the header": (lambda: asf_in_header(repeated(asf_object(ASF_PADDING))), ""),
    "wma, tags": (asf_tags, TAGGED),
}
"""How to make each, and what its refusal says; empty where it may as well be read."""
