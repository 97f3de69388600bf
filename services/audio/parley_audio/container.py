"""Recognises the container of a recording by its bytes. The caller's content type and file name do not count.

Playlists (m3u, pls, ffconcat) are text and are refused: nothing in a recording may name another file.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import Enum

from parley_core.errors import EmptyRecording, NotAudio

HEAD_BYTES = 4096  # two MP3 frames of the largest size (1441 bytes) fit
ID3_HEADER_BYTES = 10

EBML_HEADER = b"\x1aE\xdf\xa3"
ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")  # GUID of the ASF header object

IMAGE_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"heim", b"mif1", b"msf1", b"crx ")  # ISO files without sound

# kbit/s by index, layer III: MPEG-1, then MPEG-2 and 2.5 (ISO 11172-3 table 3-B.2, ISO 13818-3)
MPEG1_BITRATES = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
MPEG2_BITRATES = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
MPEG_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # by version bits


class Container(Enum):
    """A container that Parley reads: its name for people, its media type and the one demuxer that may open it."""

    WAV = ("WAV", "audio/wav", "wav")
    AIFF = ("AIFF", "audio/aiff", "aiff")
    CAF = ("CAF", "audio/x-caf", "caf")
    FLAC = ("FLAC", "audio/flac", "flac")
    OGG = ("Ogg (Vorbis, Opus, FLAC)", "audio/ogg", "ogg")
    MP3 = ("MP3", "audio/mpeg", "mp3")
    AAC = ("AAC", "audio/aac", "aac")
    MP4 = ("M4A/MP4/3GP", "audio/mp4", "mp4")
    AMR = ("AMR", "audio/amr", "amr")
    WMA = ("WMA", "audio/x-ms-wma", "asf")
    WEBM = ("WebM", "audio/webm", "matroska")
    MATROSKA = ("Matroska", "audio/x-matroska", "matroska")

    def __init__(self, title: str, media_type: str, demuxer: str) -> None:
        self.title = title
        self.media_type = media_type
        self.demuxer = demuxer


SIGNATURES = {
    b"fLaC": Container.FLAC,
    b"OggS": Container.OGG,
    b"caff\x00\x01": Container.CAF,  # version 1, the only one there is
    b"#!AMR\n": Container.AMR,  # RFC 4867, section 5: one channel; those with more have another signature
    b"#!AMR-WB\n": Container.AMR,
    ASF_HEADER: Container.WMA,
}
FORMATS_READ = ", ".join(container.title for container in Container)  # for messages and the API's reference


def sniff(head: bytes) -> Container:
    """Return the container that begins with these bytes (the first 4 KiB are enough).

    Raises:
        EmptyRecording: there are no bytes.
        NotAudio: no container that Parley reads begins with these bytes.
    """
    if not head:
        raise EmptyRecording("The recording is empty: no bytes arrived. Send the audio itself as the body.")
    found = _by_signature(head) or _by_frames(head)
    if found is None:
        raise NotAudio(
            f"Parley does not read this format. Send one of these: {FORMATS_READ}. "
            "A playlist, a text or a picture is not a recording."
        )
    return found


def sniff_file(descriptor: int) -> Container:
    """Return the container of an open file, looking behind an ID3v2 tag of any length. Raises as `sniff` does."""
    head = os.pread(descriptor, HEAD_BYTES, 0)
    behind = os.pread(descriptor, HEAD_BYTES, id3_bytes(head))
    return sniff(behind or head)


def id3_bytes(head: bytes) -> int:
    """Return the length of the ID3v2 tag in front of the audio, 0 without one (id3.org, 2.4.0, section 3.1)."""
    if len(head) < ID3_HEADER_BYTES or head[:3] != b"ID3" or any(byte & 0x80 for byte in head[6:10]):
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    footer = ID3_HEADER_BYTES if head[5] & 0x10 else 0
    return ID3_HEADER_BYTES + size + footer


def _by_signature(head: bytes) -> Container | None:
    if head[:4] in {b"RIFF", b"RF64", b"BW64"} and head[8:12] == b"WAVE":
        return Container.WAV
    if head[:4] == b"FORM" and head[8:12] in {b"AIFF", b"AIFC"}:
        return Container.AIFF
    if head[4:8] == b"ftyp" and head[8:12] not in IMAGE_BRANDS:
        return Container.MP4
    if head[:4] == EBML_HEADER:
        return _ebml(head)
    return next((container for start, container in SIGNATURES.items() if head.startswith(start)), None)


def _ebml(head: bytes) -> Container | None:
    """Read the DocType (0x4282), which is among the first few dozen bytes of the EBML header."""
    if b"\x42\x82\x84webm" in head[:64]:
        return Container.WEBM
    return Container.MATROSKA if b"\x42\x82\x88matroska" in head[:64] else None


def _by_frames(head: bytes) -> Container | None:
    """Recognise MP3 and ADTS, which have no signature: a second frame must follow where the first one ends."""
    tag = id3_bytes(head)
    if tag >= len(head):
        return Container.MP3  # an ID3v2 tag longer than the head: `sniff_file` looks behind it
    for container, frame_bytes in ((Container.MP3, mp3_frame_bytes), (Container.AAC, adts_frame_bytes)):
        if _is_frame_chain(head[tag:], frame_bytes):
            return container
    return _by_signature(head[tag:]) if tag else None


def _is_frame_chain(audio: bytes, frame_bytes: Callable[[bytes], int]) -> bool:
    first = frame_bytes(audio)
    if not first:
        return False
    return len(audio) == first or bool(frame_bytes(audio[first:]))


def mp3_frame_bytes(header: bytes) -> int:
    """Return the length of the layer III frame that begins here, 0 if none does; free-format frames have none."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:  # sync, layer III
        return 0
    version, bitrate_index, rate_index = header[1] >> 3 & 3, header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or bitrate_index in {0, 15} or rate_index == 3:
        return 0
    bitrate = (MPEG1_BITRATES if version == 3 else MPEG2_BITRATES)[bitrate_index] * 1000
    samples = 1152 if version == 3 else 576
    return samples // 8 * bitrate // MPEG_RATES[version][rate_index] + (header[2] >> 1 & 1)


def adts_frame_bytes(header: bytes) -> int:
    """Return the length of the ADTS frame that begins here, 0 if none does (ISO 13818-7, section 6.2)."""
    if len(header) < 7 or header[0] != 0xFF or header[1] & 0xF6 != 0xF0 or header[2] >> 2 & 15 > 12:
        return 0
    size = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
    return size if size > 7 else 0
