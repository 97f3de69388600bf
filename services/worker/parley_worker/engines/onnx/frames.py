"""From speakers inside windows to speakers of the recording: the windows vote on every frame.

Source: pyannote.audio 4.0.7, pipelines/speaker_diarization.py and utils/diarization.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parley_worker.engines.onnx.grid import FRAMES, first_frames, frame_seconds
from parley_worker.engines.result import Stretch


class Run(NamedTuple):
    """A turn in frames of the recording: its first one, the one after its last, and the speaker's number."""

    first: int
    after: int
    speaker: int


def speaker_votes(activity: NDArray[np.uint8], speakers: NDArray[np.int64], step: int) -> NDArray[np.uint8]:
    """Return how many windows hear each speaker in each frame, shape (frames, speakers).

    Args:
        activity: shape (windows, frames of a window, 3).
        speakers: whose each local speaker is, shape (windows, 3); negative for nobody's.
        step: samples between window starts.
    """
    starts, length = first_frames(len(activity), step), activity.shape[1]
    votes = np.zeros((starts[-1] + length, max(0, speakers.max() + 1)), np.uint8)
    for start, heard, names in zip(starts, activity, speakers, strict=True):
        for name in np.unique(names[names >= 0]):
            votes[start : start + length, name] += heard[:, names == name].max(axis=1)
    return votes


def covering(windows: int, step: int) -> NDArray[np.uint8]:
    """Return how many windows hear each frame, shape (frames,)."""
    everything = np.ones((windows, FRAMES, 1), np.uint8)
    return speaker_votes(everything, np.zeros((windows, 1), np.int64), step)[:, 0]


def strongest(votes: NDArray[Any], count: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return who speaks, shape (frames, speakers): in each frame the `count` speakers with most votes.

    Where more speak at once than clustering could tell apart, unknown speakers are added: two voices are two people.
    """
    unknown = max(0, int(count.max()) - votes.shape[1])
    remaining = np.pad(votes.astype(np.float32), ((0, 0), (0, unknown)))
    active = np.zeros(remaining.shape, np.bool_)
    for _ in range(int(count.max())):
        frames = np.flatnonzero(active.sum(axis=1) < count)
        winners = remaining[frames].argmax(axis=1)
        active[frames, winners] = True
        remaining[frames, winners] = -np.inf
    return active


def runs(active: NDArray[np.bool_]) -> Iterator[Run]:
    """Yield where each speaker talks without a break, speaker by speaker."""
    silence = np.zeros((1, active.shape[1]), np.bool_)
    edges = np.diff(np.concatenate([silence, active, silence]).astype(np.int8), axis=0)
    for speaker, change in enumerate(edges.T):
        pairs = zip(np.flatnonzero(change == 1), np.flatnonzero(change == -1), strict=True)
        yield from (Run(int(first), int(after), speaker) for first, after in pairs)


def stretches(active: NDArray[np.bool_], confidence: Callable[[Run], float] | None = None) -> Iterator[Stretch]:
    """Yield the runs in seconds, with the confidence in each where it can be told."""
    for run in runs(active):
        start, end = frame_seconds(np.array([run.first, run.after])).tolist()
        yield Stretch(start, end, run.speaker, confidence(run) if confidence else None)
