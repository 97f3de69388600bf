"""From the local speakers of windows to the speakers of a recording, frame by frame.

Source: pyannote.audio 4.0.7, pipelines/speaker_diarization.py and pipelines/utils/diarization.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parley_worker.engines.onnx.grid import FRAMES, first_frames, frame_seconds
from parley_worker.engines.result import Segment


class FrameSegment(NamedTuple):
    """A turn in frames of the recording.

    Attributes:
        first: first frame.
        end: the frame after the last one.
        speaker: column of the speaker.
    """

    first: int
    end: int
    speaker: int


def speaker_votes(activity: NDArray[np.uint8], speakers: NDArray[np.int64], step: int) -> NDArray[np.uint8]:
    """Return how many windows say that each speaker is active in each frame, shape (frames, speakers).

    Args:
        activity: 0 or 1, shape (windows, frames of a window, local speakers).
        speakers: speaker of each local speaker, shape (windows, local speakers); negative if there is none.
        step: samples between window starts.
    """
    starts = first_frames(len(activity), step)
    length = activity.shape[1]
    votes = np.zeros((starts[-1] + length, max(0, speakers.max() + 1)), np.uint8)
    for start, active, assigned in zip(starts, activity, speakers, strict=True):
        for speaker in np.unique(assigned[assigned >= 0]):
            votes[start : start + length, speaker] += active[:, assigned == speaker].max(axis=1)
    return votes


def windows_per_frame(windows: int, step: int) -> NDArray[np.uint8]:
    """Return how many windows cover each frame, shape (frames,)."""
    everything = np.ones((windows, FRAMES, 1), np.uint8)
    return speaker_votes(everything, np.zeros((windows, 1), np.int64), step)[:, 0]


def select_speakers(scores: NDArray[Any], count: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return the active speakers of each frame: the `count` speakers with the highest scores.

    Where `count` exceeds the number of speakers, columns for unknown speakers are added: two simultaneous voices are
    two people, even if clustering found only one.

    Args:
        scores: shape (frames, speakers).
        count: number of active speakers per frame, shape (frames,).

    Returns:
        Shape (frames, speakers or more).
    """
    most = int(count.max())
    unknown = max(0, most - scores.shape[1])
    remaining = np.pad(scores.astype(np.float32), ((0, 0), (0, unknown)))
    active = np.zeros(remaining.shape, np.bool_)
    for _ in range(most):
        frames = np.flatnonzero(active.sum(axis=1) < count)
        best = remaining[frames].argmax(axis=1)
        active[frames, best] = True
        remaining[frames, best] = -np.inf
    return active


def frame_segments(active: NDArray[np.bool_]) -> Iterator[FrameSegment]:
    """Yield each run of active frames, speaker by speaker, from activity of shape (frames, speakers)."""
    silence = np.zeros((1, active.shape[1]), np.bool_)
    edges = np.diff(np.concatenate([silence, active, silence]).astype(np.int8), axis=0)
    for speaker, change in enumerate(edges.T):
        starts, ends = np.flatnonzero(change == 1), np.flatnonzero(change == -1)
        for first, end in zip(starts, ends, strict=True):
            yield FrameSegment(int(first), int(end), speaker)


def segments(active: NDArray[np.bool_], confidence: Callable[[FrameSegment], float] | None = None) -> Iterator[Segment]:
    """Yield the segments of each speaker in seconds, with the confidence in each if a function for it is given."""
    for segment in frame_segments(active):
        start, end = frame_seconds(np.array([segment.first, segment.end])).tolist()
        yield Segment(start, end, segment.speaker, confidence(segment) if confidence else None)
