"""Measures how loud each channel of a recording is, block by block, into an open file.

Runs in the confined process only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from parley_audio.container import Container
from parley_audio.limits import LEVEL_SAMPLES, SAMPLE_RATE
from parley_audio.reading.mix import Mixer
from parley_audio.reading.render import Decoding, clean, write_floats
from parley_audio.reading.source import empty_recording, open_source, too_long
from parley_core.errors import UnreadableRecording


def measure_levels(source: int, sink: int, container: str, max_seconds: float, channels: int) -> dict[str, Any]:
    """Write the mean square of every 20 ms of every channel to `sink`, as float32; return the number of moments.

    Raises:
        UnreadableRecording: it has another number of channels.
        The errors of `render`.
    """
    levels = LevelFile(sink, channels, max_seconds)
    with open_source(source, Container[container], max_seconds) as opened:
        for block in Decoding(opened, Mixer(apart=True)).blocks():
            levels.append(block)
    levels.finish()
    return {"moments": levels.moments}


class LevelFile:
    """Levels on their way into a file, counted and capped; what is left of a block waits for the next one."""

    def __init__(self, descriptor: int, channels: int, max_seconds: float) -> None:
        self._descriptor, self._max_seconds = descriptor, max_seconds
        self._waiting = np.zeros((channels, 0), np.float32)
        self.moments = 0

    def append(self, block: NDArray[np.float32]) -> None:
        """Take samples, shape (channels, samples), or (samples,) for what is the same on all of them.

        Raises:
            RecordingTooLong, UnreadableRecording.
        """
        samples = np.concatenate([self._waiting, self._on_all(clean(block))], axis=1)
        whole = samples.shape[1] // LEVEL_SAMPLES * LEVEL_SAMPLES
        self._write(samples[:, :whole].reshape(len(samples), -1, LEVEL_SAMPLES))
        self._waiting = samples[:, whole:]

    def finish(self) -> None:
        """Write what waits. Raises EmptyRecording when nothing came at all."""
        if self._waiting.shape[1]:
            self._write(self._waiting[:, None, :])
        if not self.moments:
            raise empty_recording()

    def _on_all(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        channels = len(self._waiting)
        if block.ndim == 1:
            return np.broadcast_to(block, (channels, len(block)))
        if len(block) != channels:
            raise UnreadableRecording(f"The recording has {len(block)} channels and not {channels} as it was said to.")
        return block

    def _write(self, moments: NDArray[np.float32]) -> None:
        """Write shape (channels, moments, samples) as (moments, channels)."""
        self.moments += moments.shape[1]
        if self.moments * LEVEL_SAMPLES > self._max_seconds * SAMPLE_RATE + LEVEL_SAMPLES:
            raise too_long(self._max_seconds)
        write_floats(self._descriptor, np.mean(moments * moments, axis=2).T.astype(np.float32))
