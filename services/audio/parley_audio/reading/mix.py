"""Any frames in, 16 kHz float32 out, mono or channel by channel: FFmpeg's own filters, a block at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import av.error
import av.filter
import numpy as np
from numpy.typing import NDArray

from parley_audio.limits import SAMPLE_RATE
from parley_audio.reading.source import require_plausible

BLOCK_SAMPLES = 16_384  # about a second: large enough that Python's share of the time is small
FRAMES_BETWEEN_PULLS = 32
SILENT_SAMPLES = 4096  # in a frame of silence

# Flat within 0.1 dB to 7.0 kHz, aliases below -58 dB from 8.2 kHz and -96 dB from 8.5 kHz, measured with tones.
# The default (32 taps, cutoff 0.97) lets 8.2 kHz through at -15 dB.
RESAMPLER = f"{SAMPLE_RATE}:filter_size=64:cutoff=0.95"


class Mixer:
    """One mix of the channels, resampled. A change of format in mid-stream starts a new filter.

    Args:
        weights: of each channel in the mix; None is their mean, for any number of channels.
        apart: keep the channels apart instead: blocks have the shape (channels, samples) and not (samples,).
    """

    def __init__(self, weights: Sequence[float] | None = None, apart: bool = False) -> None:
        self._weights = weights
        self._apart = apart
        self._graph: Any = None
        self._format: tuple[Any, ...] = ()
        self._waiting = 0

    def push(self, frame: Any) -> Iterator[NDArray[np.float32]]:
        """Take a frame and yield the blocks that are ready. Raises UnreadableRecording for an impossible format."""
        form = (frame.sample_rate, frame.format.name, frame.layout.name, frame.layout.nb_channels)
        if form != self._format:
            yield from self.finish()
            self._graph = _graph(*form, mix=None if self._apart else self._mix_of(form[-1]))
            self._format = form
        frame.pts = None  # clock.py finds the gaps; the filter would move sound where timestamps are wrong
        self._graph.push(frame)
        self._waiting += 1
        if self._waiting >= FRAMES_BETWEEN_PULLS:
            yield from self._pull()

    def push_silence(self, seconds: float, like: Any) -> Iterator[NDArray[np.float32]]:
        """Take silence in the format of a frame and yield the blocks that are ready. Raises as `push` does."""
        left = round(seconds * like.sample_rate)
        while left > 0:
            frame = _silent_frame(like, min(left, SILENT_SAMPLES))
            left -= frame.samples
            yield from self.push(frame)

    def finish(self) -> Iterator[NDArray[np.float32]]:
        """Yield what the filter holds back, and forget it."""
        if self._graph is not None:
            self._graph.push(None)
            yield from self._pull()
        self._graph, self._format = None, ()

    def _mix_of(self, channels: int) -> str:
        """Return the mix in the language of FFmpeg's filter `pan`."""
        weights = [1 / channels] * channels if self._weights is None else self._weights
        parts = (f"{weight:.9f}*c{channel}" for channel, weight in enumerate(weights) if weight)
        return "mono|c0=" + "+".join(parts)

    def _pull(self) -> Iterator[NDArray[np.float32]]:
        self._waiting = 0
        while True:
            try:
                block = self._graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            samples = block.to_ndarray()
            yield samples if self._apart else samples.reshape(-1)


def _silent_frame(like: Any, samples: int) -> Any:
    """Return silence in the format of another frame; 8-bit samples have no sign."""
    frame = av.AudioFrame(like.format, like.layout, samples)
    frame.sample_rate = like.sample_rate
    rest = b"\x80" if like.format.name in {"u8", "u8p"} else b"\0"
    for plane in frame.planes:
        plane.update(rest * plane.buffer_size)
    return frame


def _graph(sample_rate: int, sample_format: str, layout: str, channels: int, mix: str | None) -> Any:
    require_plausible(sample_rate, channels)
    graph = av.filter.Graph()
    source = graph.add_abuffer(
        sample_rate=sample_rate, format=sample_format, layout=layout, time_base=Fraction(1, sample_rate)
    )
    filters = [
        graph.add("aformat", "sample_fmts=fltp"),
        *([] if mix is None else [graph.add("pan", mix)]),
        graph.add("aresample", RESAMPLER),
        graph.add("aformat", f"sample_fmts=fltp:sample_rates={SAMPLE_RATE}"),
        graph.add("asetnsamples", f"n={BLOCK_SAMPLES}:p=0"),
        graph.add("abuffersink"),
    ]
    for before, after in zip([source, *filters], filters, strict=False):
        before.link_to(after)
    graph.configure()
    return graph
