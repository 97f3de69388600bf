"""Segmentation as in pyannote.audio: hard decisions of a window every second, averaged over ten windows.

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
    """Return the activity of each local speaker, 0 or 1, shape (windows, 589, 3).

    Args:
        session: segmentation-3.0.
        waveform: shape (samples,), 16 kHz, at least one sample.
        progress: called with 0 to 1 between calls of the model; its exceptions pass through.
    """
    activity = np.zeros((window_count(len(waveform), STEP), FRAMES, LOCAL_SPEAKERS), np.uint8)
    for windows, scores in class_scores(session, waveform, STEP, progress):
        activity[windows] = POWERSET[scores.argmax(axis=2)]
    return activity


def speaker_count(activity: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the number of simultaneous speakers per frame, shape (frames,): the mean over the windows that cover it.

    Args:
        activity: shape (windows, 589, 3).
    """
    starts = first_frames(len(activity), STEP)
    length = activity.shape[1]
    speakers, windows = np.zeros((2, starts[-1] + length), np.int64)
    for start, active in zip(starts, activity.sum(axis=2, dtype=np.int64), strict=True):
        speakers[start : start + length] += active
        windows[start : start + length] += 1
    return np.asarray(np.rint(speakers / windows), np.int64)
