"""The voice of each local speaker in each window: CAM++ on the frames in which it talks, alone if it ever does.

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
SHORTEST = 3  # feature frames below which the model answers not a number
SHORTEST_ALONE = 3  # segmentation frames (720 samples, the same limit): with no more, overlapped speech is used too

_WINDOW_FEATURES = feature_count(WINDOW)
_STEP_FEATURES = STEP // HOP


def embed_windows(
    session: onnxruntime.InferenceSession,
    waveform: NDArray[np.float32],
    activity: NDArray[np.uint8],
    progress: Callable[[float], None],
) -> NDArray[np.float32]:
    """Embed each window on its own, as pyannote does.

    Returns embeddings of shape (windows, 3, 192), not a number where a local speaker says too little, from activity of
    shape (windows, 589, 3). `progress` is called with 0 to 1 between calls of the model; what it raises passes through.
    """
    embeddings = np.full((len(activity), LOCAL_SPEAKERS, DIMENSION), np.nan, np.float32)
    for window, features in enumerate(window_features(waveform, len(activity))):
        progress(window / len(activity))
        for speaker, frames in enumerate(spoken_frames(activity[window])):
            if frames.sum() >= SHORTEST:
                embeddings[window, speaker] = session.run(None, {"feats": features[None, frames]})[0][0]
    return embeddings


def window_features(waveform: NDArray[np.float32], windows: int) -> Iterator[NDArray[np.float32]]:
    """Yield each window's features, shape (998, 80), the window's mean taken off; each frame is computed once."""
    recent = np.zeros((0, BANDS), np.float32)
    for window in range(windows):
        done = window * _STEP_FEATURES + len(recent)
        end = window * STEP + WINDOW
        recent = np.concatenate([recent, log_mel(padded(waveform, done * HOP, end))])
        yield recent - recent.mean(axis=0)
        recent = recent[_STEP_FEATURES:]


def spoken_frames(activity: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which features belong to each local speaker of one window, shape (3, 998), from activity (589, 3)."""
    alone = activity * (activity.sum(axis=1, keepdims=True) < 2)
    chosen = np.where(alone.sum(axis=0) > SHORTEST_ALONE, alone, activity)
    return chosen[_NEAREST].T.astype(np.bool_)


_NEAREST = np.arange(_WINDOW_FEATURES) * FRAMES // _WINDOW_FEATURES  # torch's interpolate(mode="nearest")
