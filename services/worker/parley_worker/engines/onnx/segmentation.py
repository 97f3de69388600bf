"""Who may be speaking inside each window: segmentation-3.0 on overlapping windows of ten seconds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from parley_worker.engines.onnx.grid import FRAMES, LOCAL_SPEAKERS, STEP, WINDOW, padded, window_count

BATCH = 4  # windows per call: the cheapest per window, and short enough to notice a cancel soon

POWERSET = np.array(  # the model's seven classes as sets of the three local speakers
    [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1]], np.uint8
)


def segment(
    session: onnxruntime.InferenceSession, waveform: NDArray[np.float32], progress: Callable[[float], None]
) -> NDArray[np.uint8]:
    """Return 0 or 1 per window, frame and local speaker, shape (windows, 589, 3).

    Local speaker 0 of one window need not be local speaker 0 of the next: clustering joins them.
    """
    windows = window_count(len(waveform))
    activity = np.zeros((windows, FRAMES, LOCAL_SPEAKERS), np.uint8)
    for first in range(0, windows, BATCH):
        progress(first / windows)
        batch = range(first, min(first + BATCH, windows))
        audio = np.stack([padded(waveform, w * STEP, w * STEP + WINDOW) for w in batch])
        scores = session.run(None, {"x": audio[:, None]})[0]
        activity[batch.start : batch.stop] = POWERSET[scores.argmax(axis=2)]
    return activity
