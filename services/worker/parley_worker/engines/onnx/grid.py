"""The time grid of segmentation-3.0: where windows and frames lie. Samples at 16 kHz unless said otherwise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000

WINDOW = 10 * SAMPLE_RATE  # what the segmentation model was trained on
LOCAL_SPEAKERS = 3  # the most speakers the model tells apart inside one window

FRAMES = 589  # decisions of the model per window
FRAME_HOP = 270
FRAME_FIELD = 991  # samples that one decision looks at; its time is their middle


def window_count(samples: int, step: int) -> int:
    """Return how many windows cover a recording, one every `step` samples; the last may reach past its end."""
    return 1 + max(0, -(-(samples - WINDOW) // step))


def first_frames(windows: int, step: int) -> NDArray[np.int64]:
    """Return the first frame of each window, shape (windows,), on the grid of the whole recording."""
    return np.asarray(np.rint(np.arange(windows) * (step / FRAME_HOP)), np.int64)


def frame_seconds(frame: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the time of frames on the grid of the whole recording, in seconds."""
    return (frame * FRAME_HOP + FRAME_FIELD / 2) / SAMPLE_RATE


def padded(waveform: NDArray[np.float32], start: int, end: int) -> NDArray[np.float32]:
    """Return samples start to end, with zeros where the waveform has ended."""
    piece = waveform[start:end]
    return np.pad(piece, (0, end - start - len(piece))) if len(piece) < end - start else piece
