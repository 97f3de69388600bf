"""Measures a recording from its packets and byte layout, without decoding more than its first moments.

Runs in the confined process only. A header's word on the length counts for nothing, except as a promise that the bytes
have to keep.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import av.error

from parley_audio.container import HEAD_BYTES, Container, id3_bytes
from parley_audio.reading.layout import RESEND, flac_total_samples, pcm_bytes
from parley_audio.reading.recording import size_of
from parley_audio.reading.source import (
    Source,
    empty_recording,
    open_source,
    packets,
    require_plausible,
    ticks,
    too_long,
)
from parley_core.errors import UnreadableRecording

PROOF_PACKETS = 32  # decoded for proof that they can be: under a second of sound
MIN_AUDIO_SHARE = 0.5  # of the bytes of a plain stream; below, most of the file is something else
PCM_CONTAINERS = frozenset({Container.WAV, Container.AIFF, Container.CAF})
PLAIN_STREAMS = frozenset({Container.MP3, Container.AAC, Container.AMR, Container.OGG})  # nearly all bytes are packets

# Seconds of one Opus frame by the configuration in its first byte (RFC 6716, section 3.1, table 2)
OPUS_SECONDS = (0.01, 0.02, 0.04, 0.06) * 3 + (0.01, 0.02) * 2 + (0.0025, 0.005, 0.01, 0.02) * 4

CLOCKED_CODECS = frozenset({"wmav1", "wmav2"})  # packets do not state their length
OGG_PAGE_BYTES = 27  # head of a page, without its table of lengths

PCM_BYTES = {"u8": 1, "s8": 1, "alaw": 1, "mulaw": 1, "s16": 2, "s24": 3, "s32": 4, "f32": 4, "f64": 8}


def measure(source: int, sink: int, container: str, max_seconds: float) -> dict[str, Any]:
    """Return seconds, sample_rate and channels of an open recording.

    Raises:
        EmptyRecording: zero samples.
        RecordingTooLong: more than `max_seconds`.
        UnreadableRecording: truncated, damaged, or with a header that cannot be true.
    """
    kind = Container[container]
    with open_source(source, kind, max_seconds) as opened:
        context = opened.decoder
        require_plausible(context.sample_rate, context.channels)
        seconds = _seconds(source, kind, opened, max_seconds)
        if not seconds:
            raise empty_recording()
        return {"seconds": seconds, "sample_rate": context.sample_rate, "channels": context.channels}


def _seconds(descriptor: int, kind: Container, opened: Source, max_seconds: float) -> float:
    if kind in PCM_CONTAINERS and opened.codec.startswith("pcm_"):
        return _pcm_seconds(descriptor, kind, opened, max_seconds)
    tally = Tally(opened, max_seconds)
    if kind is Container.FLAC:
        opened.decoder.options = {"err_detect": "crccheck+explode"}
    tally.count_all()
    if kind is Container.FLAC:
        _require_whole_flac(descriptor, tally)
    if kind in PLAIN_STREAMS and len(opened.container.streams) == 1:
        _require_mostly_audio(descriptor, kind, tally)
    return tally.seconds


def _pcm_seconds(descriptor: int, kind: Container, opened: Source, max_seconds: float) -> float:
    """PCM needs no packets: two gigabytes of it are measured without reading them."""
    context = opened.decoder
    frame_bytes = PCM_BYTES[opened.codec.removeprefix("pcm_").removesuffix("le").removesuffix("be")] * context.channels
    seconds = pcm_bytes(descriptor, kind) // frame_bytes / context.sample_rate
    if seconds > max_seconds:
        raise too_long(max_seconds)
    return float(seconds)


class Tally:
    """Adds up one stream's packets, and decodes its first ones."""

    def __init__(self, opened: Source, max_seconds: float) -> None:
        self._opened = opened
        self._max_seconds = max_seconds
        self._seconds_of = _packet_clock(opened)
        self._time_base = float(opened.stream.time_base)
        self.bytes = 0
        self.packets = 0
        self.pages = 0  # of an Ogg stream, whose packets have the position of their page
        self.first_position: int | None = None
        self.last: Any = None
        self._first_time: int | None = None
        self._end_time = 0

    @property
    def sample_rate(self) -> int:
        return int(self._opened.decoder.sample_rate)

    @property
    def counted(self) -> float:
        """Seconds by the packets' own length, and of the gaps between them."""
        return self._opened.clock.position

    @property
    def seconds(self) -> float:
        """Seconds of audio, as counted or, where packets state no length, by the container's clock."""
        if self._opened.codec not in CLOCKED_CODECS:
            return self.counted
        return max(self.counted, (self._end_time - (self._first_time or 0)) * self._time_base)

    def count_all(self) -> None:
        """Go through the stream once. Raises UnreadableRecording when nothing at its beginning decodes."""
        proof = Proof(self._opened.decoder)
        for packet in packets(self._opened):
            self._count(packet)
            proof.show(packet)
        if self.last is not None:
            proof.require()

    def require_whole_last(self) -> None:
        """Raise UnreadableRecording when the last packet does not decode, checksum included."""
        context = self._opened.decoder
        context.flush_buffers()  # the proof of a short recording has told the decoder that nothing more comes
        try:
            context.decode(self.last)
        except av.error.FFmpegError as error:
            raise UnreadableRecording(f"The last frame of the recording is cut off. {RESEND}") from error

    def _count(self, packet: Any) -> None:
        if packet.pts is not None:
            self._opened.clock.silence_before(packet.pts * self._time_base)
        self._opened.clock.advance(self._seconds_of(packet))
        self.bytes += packet.size
        self.packets += 1
        if self.last is None:
            self.first_position = packet.pos
        if self.last is None or packet.pos != self.last.pos:
            self.pages += 1
        self.last = packet
        if packet.pts is not None:
            self._first_time = packet.pts if self._first_time is None else self._first_time
            self._end_time = max(self._end_time, packet.pts + ticks(packet))
        if self.seconds > self._max_seconds:
            raise too_long(self._max_seconds)


class Proof:
    """Decodes the first packets of a stream, to know that they can be decoded at all."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._left = PROOF_PACKETS
        self._samples = 0

    def show(self, packet: Any) -> None:
        if self._left:
            self._left -= 1
            self._decode(packet)

    def require(self) -> None:
        if self._left:
            self._decode(None)  # a short stream: what the decoder held back
        if not self._samples:
            raise UnreadableRecording(f"The beginning of the recording does not decode: it is damaged. {RESEND}")

    def _decode(self, packet: Any) -> None:
        try:
            self._samples += sum(frame.samples for frame in self._context.decode(packet))
        except (av.error.InvalidDataError, av.error.EOFError):
            return  # one bad packet is no verdict; none that is good is


def _packet_clock(opened: Source) -> Callable[[Any], float]:
    """Return how to tell a packet's seconds: by the codec's own frame length, where it has one."""
    context, time_base = opened.decoder, float(opened.stream.time_base)
    if opened.codec in {"opus", "libopus"}:
        return opus_seconds
    if opened.codec in {"aac", "mp3", "mp3float"} and context.frame_size:
        return lambda _: context.frame_size / context.sample_rate
    return lambda packet: ticks(packet) * time_base


def opus_seconds(packet: Any) -> float:
    """Return the seconds in an Opus packet (RFC 6716, section 3)."""
    content = memoryview(packet)
    first = content[0]
    frames = (1, 2, 2, 0)[first & 3]
    if not frames and len(content) > 1:
        frames = content[1] & 0x3F
    return frames * OPUS_SECONDS[first >> 3]


def _require_whole_flac(descriptor: int, tally: Tally) -> None:
    """STREAMINFO's promise must be kept, and the last frame's checksum must be right: it is where a cut shows."""
    promised = flac_total_samples(descriptor) / tally.sample_rate
    if tally.counted < promised - 0.5 / tally.sample_rate:
        raise UnreadableRecording(
            f"The FLAC header promises {promised:.1f} s and {tally.counted:.1f} s are there. {RESEND}"
        )
    if tally.last is not None:
        tally.require_whole_last()


def _require_mostly_audio(descriptor: int, kind: Container, tally: Tally) -> None:
    """Raise UnreadableRecording if less than half of the bytes behind tag or headers belong to packets."""
    start, audio = id3_bytes(os.pread(descriptor, HEAD_BYTES, 0)), tally.bytes
    if kind is Container.OGG:
        start = tally.first_position or 0  # the codec's headers: of a short Vorbis file they are the larger part
        audio += tally.packets + OGG_PAGE_BYTES * tally.pages  # a packet takes a byte in the table of its page
    length = size_of(descriptor) - start
    if audio < MIN_AUDIO_SHARE * length:
        raise UnreadableRecording(
            f"Only {audio} of {length} bytes are audio: the recording is damaged. Send the original again."
        )
