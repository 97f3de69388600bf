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
from parley_audio.reading.layout import RESEND, check_layout, flac_total_samples, wav_data_bytes
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
PLAIN_STREAMS = frozenset({Container.MP3, Container.AAC, Container.OGG})  # nearly all bytes are packets

# Milliseconds of one Opus frame by the configuration in its first byte (RFC 6716, section 3.1, table 2)
OPUS_MILLISECONDS = (10.0, 20.0, 40.0, 60.0) * 3 + (10.0, 20.0) * 2 + (2.5, 5.0, 10.0, 20.0) * 4

PCM_BYTES = {"u8": 1, "s8": 1, "alaw": 1, "mulaw": 1, "s16": 2, "s24": 3, "s32": 4, "f32": 4, "f64": 8}


def measure(source: int, sink: int, container: str, max_seconds: float) -> dict[str, Any]:
    """Return seconds, sample_rate and channels of an open recording.

    Raises:
        EmptyRecording: zero samples.
        RecordingTooLong: more than `max_seconds`.
        UnreadableRecording: truncated, damaged, or with a header that cannot be true.
    """
    kind = Container[container]
    check_layout(source, kind)
    with open_source(source, kind) as opened:
        context = opened.stream.codec_context
        require_plausible(context.sample_rate, context.channels)
        seconds = _seconds(source, kind, opened, max_seconds)
        if not seconds:
            raise empty_recording()
        return {"seconds": seconds, "sample_rate": context.sample_rate, "channels": context.channels}


def _seconds(descriptor: int, kind: Container, opened: Source, max_seconds: float) -> float:
    if kind is Container.WAV and opened.codec.startswith("pcm_"):
        return _pcm_seconds(descriptor, opened, max_seconds)
    tally = Tally(opened, max_seconds)
    if kind is Container.FLAC:
        opened.stream.codec_context.options = {"err_detect": "crccheck+explode"}
    tally.count_all()
    if kind is Container.FLAC:
        _require_whole_flac(descriptor, tally)
    if kind in PLAIN_STREAMS and len(opened.container.streams) == 1:
        _require_mostly_audio(descriptor, tally)
    return tally.seconds


def _pcm_seconds(descriptor: int, opened: Source, max_seconds: float) -> float:
    """PCM needs no packets: two gigabytes of it are measured without reading them."""
    context = opened.stream.codec_context
    frame_bytes = PCM_BYTES[opened.codec.removeprefix("pcm_").removesuffix("le").removesuffix("be")] * context.channels
    seconds = wav_data_bytes(descriptor) // frame_bytes / context.sample_rate
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
        self.counted = 0.0
        self.bytes = 0
        self.last: Any = None
        self._first_time: int | None = None
        self._end_time = 0

    @property
    def sample_rate(self) -> int:
        return int(self._opened.stream.codec_context.sample_rate)

    @property
    def seconds(self) -> float:
        """Seconds of audio. Only Vorbis packets do not tell their own length: there the clock of the pages helps."""
        if self._opened.codec != "vorbis":
            return self.counted
        return max(self.counted, (self._end_time - (self._first_time or 0)) * self._time_base)

    def count_all(self) -> None:
        """Go through the stream once. Raises UnreadableRecording when nothing at its beginning decodes."""
        proof = Proof(self._opened.stream.codec_context)
        for packet in packets(self._opened):
            self._count(packet)
            proof.show(packet)
        if self.last is not None:
            proof.require()

    def require_whole_last(self) -> None:
        """Raise UnreadableRecording when the last packet does not decode, checksum included."""
        context = self._opened.stream.codec_context
        context.flush_buffers()  # the proof of a short recording has told the decoder that nothing more comes
        try:
            context.decode(self.last)
        except av.error.FFmpegError as error:
            raise UnreadableRecording(f"The last frame of the recording is cut off. {RESEND}") from error

    def _count(self, packet: Any) -> None:
        self.counted += self._seconds_of(packet)
        self.bytes += packet.size
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
    context, time_base = opened.stream.codec_context, float(opened.stream.time_base)
    if opened.codec in {"opus", "libopus"}:
        return opus_seconds
    if opened.codec in {"aac", "mp3", "mp3float"} and context.frame_size:
        return lambda _: context.frame_size / context.sample_rate
    return lambda packet: ticks(packet) * time_base


def opus_seconds(packet: Any) -> float:
    """Return the seconds in an Opus packet (RFC 6716, section 3)."""
    head = bytes(memoryview(packet)[:2])
    code = head[0] & 3
    frames = (1, 2, 2, head[1] & 0x3F if len(head) > 1 else 0)[code]
    return frames * OPUS_MILLISECONDS[head[0] >> 3] / 1000


def _require_whole_flac(descriptor: int, tally: Tally) -> None:
    """STREAMINFO's promise must be kept, and the last frame's checksum must be right: it is where a cut shows."""
    promised = flac_total_samples(descriptor) / tally.sample_rate
    if tally.counted < promised - 0.5 / tally.sample_rate:
        raise UnreadableRecording(
            f"The FLAC header promises {promised:.1f} s and {tally.counted:.1f} s are there. {RESEND}"
        )
    if tally.last is not None:
        tally.require_whole_last()


def _require_mostly_audio(descriptor: int, tally: Tally) -> None:
    tag = id3_bytes(os.pread(descriptor, HEAD_BYTES, 0))
    length = os.fstat(descriptor).st_size - tag
    if tally.bytes < MIN_AUDIO_SHARE * length:
        raise UnreadableRecording(
            f"Only {tally.bytes} of {length} bytes are audio: the recording is damaged. Send the original again."
        )
