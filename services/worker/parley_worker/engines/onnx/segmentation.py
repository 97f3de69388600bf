"""Who may be speaking inside each window, and how many at once: segmentation-3.0 on windows of ten seconds.

A window starts every few seconds, five by default, so two hear each moment (pyannote: ten). What makes two enough is
to use what the model says between yes and no: the expected number of speakers under its probabilities, averaged over
the windows with their edges weighted down, where the model has little to go by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from parley_worker.engines.onnx.grid import (
    FRAMES,
    LOCAL_SPEAKERS,
    WINDOW,
    first_frames,
    padded,
    window_count,
)
from parley_worker.engines.onnx.models import last_call

BATCH = 2  # windows per call: more are no cheaper, and what one hears would scale the others' eight-bit sums
EDGE = 88  # frames, 1.5 s: over so many a window's weight rises from its edge
ENOUGH = (0.6, 1.4)  # expected speakers from which on one, two are counted: the model tends to miss a second voice
TAIL = 6  # frames, 0.1 s, that speech goes on after the model ceases to hear it: words die away
LEAST_WEIGHT = 0.02  # at the very edge: the first and last second of a recording have no other window

POWERSET = np.array(  # the model's seven classes as sets of the three local speakers
    [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1]], np.uint8
)
_SPEAKERS_IN_CLASS = POWERSET.sum(axis=1).astype(np.float32)
_WEIGHTS = np.clip((np.minimum(np.arange(FRAMES), np.arange(FRAMES)[::-1]) + 1) / EDGE, LEAST_WEIGHT, 1)

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Segmentation:
    """What the windows heard.

    Attributes:
        step: samples between window starts.
        activity: 0 or 1 per window, frame and local speaker, shape (windows, 589, 3). Local speaker 0 of one window
            need not be local speaker 0 of the next: clustering joins them.
        count: how many speak at once, per frame of the recording, shape (frames,).
        expected: how many are expected to, of which that is made; how far it is from the next number says how sure the
            model is.
    """

    step: int
    activity: NDArray[np.uint8]
    count: NDArray[np.int64]
    expected: NDArray[np.float32]


def segment(
    session: onnxruntime.InferenceSession, waveform: NDArray[np.float32], step: int, progress: Progress
) -> Segmentation:
    """Listen to the whole recording once."""
    starts = first_frames(window_count(len(waveform), step), step)
    activity = np.zeros((len(starts), FRAMES, LOCAL_SPEAKERS), np.uint8)
    expected, weight = np.zeros((2, starts[-1] + FRAMES))
    for windows, scores in class_scores(session, waveform, step, progress):
        activity[windows] = POWERSET[scores.argmax(axis=2)]
        for start, speakers in zip(starts[windows], np.exp(scores) @ _SPEAKERS_IN_CLASS, strict=True):
            expected[start : start + FRAMES] += speakers * _WEIGHTS
            weight[start : start + FRAMES] += _WEIGHTS
    expected /= weight
    return Segmentation(step, activity, counted(expected), expected.astype(np.float32))


def counted(expected: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return how many speak in each frame, given how many are expected to."""
    count = np.digitize(expected, ENOUGH)
    spoken = np.convolve(count > 0, np.ones(TAIL + 1))[: len(count)] > 0
    return np.asarray(np.maximum(count, spoken), np.int64)


def class_scores(
    session: onnxruntime.InferenceSession, waveform: NDArray[np.float32], step: int, progress: Progress
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Yield batches of windows and their log-probabilities, shape (windows, 589, 7)."""
    total = window_count(len(waveform), step)
    for first in range(0, total, BATCH):
        progress(first / total)
        windows = slice(first, min(first + BATCH, total))
        audio = np.stack([padded(waveform, w * step, w * step + WINDOW) for w in range(windows.start, windows.stop)])
        options = last_call() if windows.stop == total else None
        yield windows, session.run(None, {"x": audio[:, None]}, options)[0]
