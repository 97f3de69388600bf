"""The time grid of segmentation-3.0: its windows and its output frames. Units are samples at 16 kHz unless stated."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000

WINDOW = 10 * SAMPLE_RATE  # input length that the segmentation model was trained on
LOCAL_SPEAKERS = 3  # maximum number of speakers that the model separates inside one window

FRAMES = 589  # output frames of the model per window
FRAME_HOP = 270
RECEPTIVE_FIELD = 991  # input of one output frame; the time of a frame is the middle of its receptive field


class Samples(Protocol):
    """A waveform, or what is computed from one where it is read. Of shape (samples,)."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> NDArray[np.float32]: ...


def window_count(samples: int, step: int) -> int:
    """Return how many windows cover a recording, one every `step` samples; the last may reach past its end."""
    return 1 + max(0, -(-(samples - WINDOW) // step))


def first_frames(windows: int, step: int) -> NDArray[np.int64]:
    """Return the first frame of each window on the grid of the whole recording, shape (windows,)."""
    return np.asarray(np.rint(np.arange(windows) * (step / FRAME_HOP)), np.int64)


def frame_seconds(frame: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the time of frames of the whole recording, in seconds."""
    return (frame * FRAME_HOP + RECEPTIVE_FIELD / 2) / SAMPLE_RATE


def padded(waveform: Samples, start: int, end: int) -> NDArray[np.float32]:
    """Return samples `start` to `end`, with zeros after the end of the waveform."""
    part = waveform[start:end]
    missing = end - start - len(part)
    return np.pad(part, (0, missing)) if missing > 0 else part
