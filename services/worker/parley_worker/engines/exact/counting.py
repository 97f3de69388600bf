"""Hard decisions every second, as pyannote takes them: ten windows hear each moment and their counts are averaged.

Source: pyannote.audio 4.0.7, pipelines/utils/diarization.py (speaker_count).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from parley_worker.engines.onnx.grid import FRAMES, LOCAL_SPEAKERS, SAMPLE_RATE, first_frames, window_count
from parley_worker.engines.onnx.segmentation import POWERSET, class_scores

STEP = SAMPLE_RATE  # samples between window starts


def segment(
    session: onnxruntime.InferenceSession, waveform: NDArray[np.float32], progress: Callable[[float], None]
) -> NDArray[np.uint8]:
    """Return 0 or 1 per window, frame and local speaker, shape (windows, 589, 3)."""
    activity = np.zeros((window_count(len(waveform), STEP), FRAMES, LOCAL_SPEAKERS), np.uint8)
    for windows, scores in class_scores(session, waveform, STEP, progress):
        activity[windows] = POWERSET[scores.argmax(axis=2)]
    return activity


def speaker_count(activity: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return how many speak at once in each frame, shape (frames,): the mean over the windows that cover it."""
    starts, length = first_frames(len(activity), STEP), activity.shape[1]
    heard, windows = np.zeros((2, starts[-1] + length), np.int64)
    for start, speaking in zip(starts, activity.sum(axis=2, dtype=np.int64), strict=True):
        heard[start : start + length] += speaking
        windows[start : start + length] += 1
    return np.asarray(np.rint(heard / windows), np.int64)
