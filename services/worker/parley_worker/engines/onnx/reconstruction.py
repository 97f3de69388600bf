"""From speakers inside windows to speakers of the recording: the windows vote on every frame.

Source: pyannote.audio 4.0.7, pipelines/speaker_diarization.py and utils/diarization.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from parley_worker.engines.onnx.grid import first_frames, frame_seconds
from parley_worker.engines.result import Stretch


def speaker_votes(activity: NDArray[np.uint8], speakers: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return how many windows hear each speaker in each frame, shape (frames, speakers).

    Args:
        activity: shape (windows, frames of a window, 3).
        speakers: whose each local speaker is, shape (windows, 3); negative for nobody's.
    """
    starts, length = first_frames(len(activity)), activity.shape[1]
    votes = np.zeros((starts[-1] + length, max(0, speakers.max() + 1)), np.uint8)
    for start, heard, names in zip(starts, activity, speakers, strict=True):
        for name in np.unique(names[names >= 0]):
            votes[start : start + length, name] += heard[:, names == name].max(axis=1)
    return votes


def speaker_count(activity: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return how many speak at once in each frame, shape (frames,): the mean over the windows that cover it."""
    starts, length = first_frames(len(activity)), activity.shape[1]
    heard, windows = np.zeros((2, starts[-1] + length), np.int64)
    for start, speaking in zip(starts, activity.sum(axis=2, dtype=np.int64), strict=True):
        heard[start : start + length] += speaking
        windows[start : start + length] += 1
    return np.asarray(np.rint(heard / windows), np.int64)


def strongest(votes: NDArray[np.uint8], count: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return who speaks, shape (frames, speakers): in each frame the `count` speakers with most votes.

    Where more speak at once than clustering could tell apart, unknown speakers are added: two voices are two people.
    """
    unknown = max(0, int(count.max()) - votes.shape[1])
    remaining = np.pad(votes.astype(np.int16), ((0, 0), (0, unknown)))
    active = np.zeros(remaining.shape, np.bool_)
    for _ in range(int(count.max())):
        frames = np.flatnonzero(active.sum(axis=1) < count)
        winners = remaining[frames].argmax(axis=1)
        active[frames, winners] = True
        remaining[frames, winners] = -1
    return active


def stretches(active: NDArray[np.bool_]) -> Iterator[Stretch]:
    """Yield where each speaker talks without a break."""
    silence = np.zeros((1, active.shape[1]), np.bool_)
    edges = np.diff(np.concatenate([silence, active, silence]).astype(np.int8), axis=0)
    for speaker, change in enumerate(edges.T):
        starts, ends = frame_seconds(np.flatnonzero(change == 1)), frame_seconds(np.flatnonzero(change == -1))
        yield from ((float(start), float(end), speaker) for start, end in zip(starts, ends, strict=True))
