"""Decodes a recording block by block into an open file, as the waveform that engines take.

Runs in the confined process only: it holds a second of sound at a time, never the waveform.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import av.error
import numpy as np
from numpy.typing import NDArray

from parley_audio.container import Container
from parley_audio.limits import SAMPLE_RATE
from parley_audio.reading.mix import Mixer
from parley_audio.reading.polarity import ChannelMeter
from parley_audio.reading.source import (
    Source,
    allow_next_step,
    empty_recording,
    open_source,
    packets,
    ticks,
    too_long,
)
from parley_core.errors import UnreadableRecording

MAX_LOST_SHARE = 0.1  # of the packets: a scratch is filled with silence, a ruin is refused


def render(source: int, sink: int, container: str, max_seconds: float) -> dict[str, Any]:
    """Write the recording to `sink` as float32, mono, 16 kHz, -1 to 1; return how many samples and tracks.

    The channels are averaged. If that cancels them (polarity.py), a second pass writes a mix that keeps the speech.
    Gaps and packets that do not decode become silence of their length, so that times are those of a player.

    Raises:
        EmptyRecording: no sample came out.
        RecordingTooLong: more than `max_seconds` came out.
        UnreadableRecording: see `open_source`; or more than a tenth of the packets do not decode.
    """
    kind = Container[container]
    meter = ChannelMeter()
    made = _write_mix(source, sink, kind, max_seconds, Mixer(), meter)
    weights = meter.weights()
    if weights is not None:
        os.ftruncate(sink, 0)
        os.lseek(sink, 0, os.SEEK_SET)
        made = _write_mix(source, sink, kind, max_seconds, Mixer(weights))
    return made


def _write_mix(
    source: int, sink: int, kind: Container, max_seconds: float, mixer: Mixer, meter: ChannelMeter | None = None
) -> dict[str, Any]:
    """Decode once from the beginning; return the number of samples written, and of audio tracks."""
    waveform = WaveformFile(sink, max_seconds)
    with open_source(source, kind, max_seconds) as opened:
        for block in Decoding(opened, mixer, meter).blocks():
            waveform.append(block)
        tracks = opened.tracks
    if not waveform.samples:
        raise empty_recording()
    return {"samples": waveform.samples, "tracks": tracks}


class WaveformFile:
    """Samples on their way into a file, counted and capped."""

    def __init__(self, descriptor: int, max_seconds: float) -> None:
        self._descriptor = descriptor
        self._max_seconds = max_seconds
        self.samples = 0

    def append(self, block: NDArray[np.float32]) -> None:
        """Raises RecordingTooLong."""
        self.samples += len(block)
        if self.samples > self._max_seconds * SAMPLE_RATE:
            raise too_long(self._max_seconds)
        write_floats(self._descriptor, clean(block))


def write_floats(descriptor: int, values: NDArray[np.float32]) -> None:
    """Write all of an array, in C order."""
    left = np.ascontiguousarray(values).data.cast("B")
    while left:
        left = left[os.write(descriptor, left) :]


def clean(block: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the block, changed in place: float formats can hold NaN, infinity and values beyond full scale."""
    finite = np.nan_to_num(block, nan=0.0, posinf=1.0, neginf=-1.0)
    return np.clip(finite, -1.0, 1.0, out=finite)


class Decoding:
    """One pass over a stream. The mixer decides the form of its sound; the meter, if any, measures its channels."""

    def __init__(self, opened: Source, mixer: Mixer, meter: ChannelMeter | None = None) -> None:
        self._opened = opened
        self._context = opened.decoder
        self._clock = opened.clock
        self._mixer = mixer
        self._meter = meter
        self._packets = 0
        self._lost = 0

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield blocks of samples, 16 kHz, the silence for what is lost always mono.

        Raises UnreadableRecording when too much is lost.
        """
        for packet in packets(self._opened):
            self._packets += 1
            yield from self._decode(packet)
        yield from self._decode(None)
        yield from self._mixer.finish()
        if self._lost > MAX_LOST_SHARE * self._packets:
            raise UnreadableRecording(
                f"{self._lost} of {self._packets} packets do not decode: the recording is damaged. "
                "Send the original again."
            )

    def _decode(self, packet: Any) -> Iterator[NDArray[np.float32]]:
        try:
            frames = self._context.decode(packet)
        except (av.error.InvalidDataError, av.error.EOFError):
            yield from self._silence(packet)
            return
        for frame in frames:
            for block in self._mixer.push_silence(self._clock.silence_before(frame.time), frame):
                allow_next_step()  # a gap of ten minutes takes as long as ten minutes of sound
                yield block
            if self._meter is not None:
                self._meter.add(frame)
            yield from self._mixer.push(frame)
            self._clock.advance(frame.samples / frame.sample_rate)

    def _silence(self, packet: Any) -> Iterator[NDArray[np.float32]]:
        if packet is None:
            return
        self._lost += 1
        yield from self._mixer.finish()
        seconds = min(float(max(0, ticks(packet)) * self._opened.stream.time_base), 1.0)
        self._clock.advance(seconds)
        yield np.zeros(round(seconds * SAMPLE_RATE), np.float32)
