"""Embeddings as in pyannote.audio: CAM++ on the frames of each local speaker of each window.

Overlapped speech is left out if the local speaker speaks alone for long enough.
Source: pyannote.audio 4.0.7, pipelines/speaker_diarization.py (get_embeddings) and speaker_verification.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from parley_worker.engines.exact.counting import STEP
from parley_worker.engines.onnx.features import BANDS, HOP, feature_count, log_mel
from parley_worker.engines.onnx.grid import FRAMES, LOCAL_SPEAKERS, WINDOW, padded

DIMENSION = 192
MIN_FEATURES = 3  # with fewer, the model returns NaN
MIN_ALONE = 3  # segmentation frames (720 samples, the same limit): with no more, overlapped speech is used too

_WINDOW_FEATURES = feature_count(WINDOW)
_STEP_FEATURES = STEP // HOP


def embed_windows(
    session: onnxruntime.InferenceSession,
    waveform: NDArray[np.float32],
    activity: NDArray[np.uint8],
    progress: Callable[[float], None],
) -> NDArray[np.float32]:
    """Embed the local speakers of each window separately.

    Args:
        session: CAM++.
        waveform: shape (samples,), 16 kHz.
        activity: shape (windows, 589, 3).
        progress: called with 0 to 1 between calls of the model; its exceptions pass through.

    Returns:
        Shape (windows, 3, 192), NaN where a local speaker says too little.
    """
    embeddings = np.full((len(activity), LOCAL_SPEAKERS, DIMENSION), np.nan, np.float32)
    for window, features in enumerate(window_features(waveform, len(activity))):
        progress(window / len(activity))
        for speaker, mask in enumerate(speaker_masks(activity[window])):
            if mask.sum() >= MIN_FEATURES:
                embeddings[window, speaker] = session.run(None, {"feats": features[None, mask]})[0][0]
    return embeddings


def window_features(waveform: NDArray[np.float32], windows: int) -> Iterator[NDArray[np.float32]]:
    """Yield the features of each window minus their mean, shape (998, 80); each feature is computed once."""
    recent = np.zeros((0, BANDS), np.float32)
    for window in range(windows):
        done = window * _STEP_FEATURES + len(recent)
        end = window * STEP + WINDOW
        recent = np.concatenate([recent, log_mel(padded(waveform, done * HOP, end))])
        yield recent - recent.mean(axis=0)
        recent = recent[_STEP_FEATURES:]


def speaker_masks(activity: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return the features of each local speaker of a window, shape (3, 998), from activity of shape (589, 3)."""
    alone = activity * (activity.sum(axis=1, keepdims=True) < 2)
    chosen = np.where(alone.sum(axis=0) > MIN_ALONE, alone, activity)
    return chosen[_NEAREST].T.astype(np.bool_)


_NEAREST = np.arange(_WINDOW_FEATURES) * FRAMES // _WINDOW_FEATURES  # as torch's interpolate(mode="nearest")
