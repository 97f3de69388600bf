"""Local speaker activity and the number of simultaneous speakers: segmentation-3.0 on windows of ten seconds.

By default a window starts every five seconds, so that two windows cover each moment (pyannote.audio: ten). Two are
enough because the engine uses the model's probabilities instead of its decisions: it takes the expected number of
speakers, averaged over the windows. A window counts less near its edges, where the model lacks context.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from parley_worker.engines.checkpoint import NO_CHECKPOINT, Checkpoint, Part
from parley_worker.engines.onnx.filter_bank import FilteredRecording
from parley_worker.engines.onnx.frames import frame_segments
from parley_worker.engines.onnx.grid import (
    FRAMES,
    LOCAL_SPEAKERS,
    WINDOW,
    Samples,
    first_frames,
    padded,
    window_count,
)
from parley_worker.engines.onnx.integer_segmentation import IntegerSegmentation
from parley_worker.engines.onnx.models import last_call

BATCH = 2  # windows per call: more are not cheaper
RAMP = 88  # frames, 1.5 s, over which the weight of a window rises from its edge
COUNT_THRESHOLDS = (0.6, 1.4)  # expected speakers for a count of 1 and 2; 1.4, since the model misses second speakers
HANGOVER = 6  # frames, 0.1 s, that are added to the end of speech: the model ends before a word has faded
LOST = 88  # frames, 1.5 s: longer than pauses inside a turn, so somebody may have been missed
EXPECTED_STEPS = 100  # per speaker, of a window's expected number of speakers: 0 to 2 in eight bits, for checkpoints
MIN_WEIGHT = 0.02  # at the very edge: only one window covers the first and the last seconds of a recording

POWERSET = np.array(  # the seven classes of the model as sets of its three local speakers
    [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1]], np.uint8
)
_SPEAKERS_IN_CLASS = POWERSET.sum(axis=1).astype(np.float32)
_WEIGHTS = np.clip((np.minimum(np.arange(FRAMES), np.arange(FRAMES)[::-1]) + 1) / RAMP, MIN_WEIGHT, 1)

Progress = Callable[[float], None]
Model: TypeAlias = "onnxruntime.InferenceSession | IntegerSegmentation"


@dataclass(frozen=True, slots=True)
class Segmentation:
    """Output of the segmentation model for one recording.

    Attributes:
        step: samples between window starts.
        activity: 0 or 1, shape (windows, 589, 3). Local speaker 0 of one window need not be local speaker 0 of the
            next one: clustering links them.
        count: number of simultaneous speakers per frame of the recording, shape (frames,).
        expected: expected number of simultaneous speakers under the model's probabilities, from which `count` follows,
            shape (frames,). Its distance from the nearest integer shows how certain the model is.
    """

    step: int
    activity: NDArray[np.uint8]
    count: NDArray[np.int64]
    expected: NDArray[np.float32]

    def completed(self, other: Segmentation) -> Segmentation:
        """Return the same, but where nobody is heard for LOST frames or more, another segmentation decides.

        A window in which the other one hears somebody for that long meanwhile has the other's local speakers.
        """
        lost = np.zeros(len(self.count), np.bool_)
        for silence in frame_segments(self.count[:, None] == 0):
            lost[silence.first : silence.end] = silence.end - silence.first >= LOST
        activity = self.activity.copy()
        for window, start in enumerate(first_frames(len(activity), self.step)):
            missed = other.activity[window].any(axis=1) & lost[start : start + FRAMES]
            if missed.sum() >= LOST:
                activity[window] = other.activity[window]
        expected = np.where(lost, other.expected, self.expected)
        return Segmentation(self.step, activity, speaker_count(expected), expected)


def segment(
    model: Model,
    waveform: Samples,
    step: int,
    progress: Progress,
    checkpoint: Checkpoint = NO_CHECKPOINT,
    name: str = "segmentation",
) -> Segmentation:
    """Run the segmentation model over a recording.

    Args:
        model: segmentation-3.0.
        waveform: shape (samples,), at least one sample.
        step: samples between window starts.
        progress: called with 0 to 1 before each batch; its exceptions pass through.
        checkpoint: has the batches that an earlier attempt computed.
        name: of the step in the checkpoint.
    """

    def compute(first: int) -> Iterator[Part]:
        for windows, scores in class_scores(model, waveform, step, progress, first):
            classes, speakers = scores.argmax(axis=2), np.rint(np.exp(scores) @ _SPEAKERS_IN_CLASS * EXPECTED_STEPS)
            found = {"classes": classes.astype(np.uint8), "speakers": speakers.astype(np.uint8)}
            yield Part(windows.start, windows.stop, found)

    starts = first_frames(window_count(len(waveform), step), step)
    activity = np.zeros((len(starts), FRAMES, LOCAL_SPEAKERS), np.uint8)
    expected, weight = np.zeros((2, starts[-1] + FRAMES))
    for first, end, found in checkpoint.continued(name, len(starts), compute):
        activity[first:end] = POWERSET[found["classes"]]
        for start, speakers in zip(starts[first:end], found["speakers"], strict=True):
            expected[start : start + FRAMES] += speakers / EXPECTED_STEPS * _WEIGHTS
            weight[start : start + FRAMES] += _WEIGHTS
    expected /= weight
    return Segmentation(step, activity, speaker_count(expected), expected.astype(np.float32))


def speaker_count(expected: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the number of simultaneous speakers from the expected number, both of shape (frames,)."""
    count = np.digitize(expected, COUNT_THRESHOLDS)
    spoken = np.convolve(count > 0, np.ones(HANGOVER + 1))[: len(count)] > 0
    return np.asarray(np.maximum(count, spoken), np.int64)


def class_scores(
    model: Model,
    waveform: Samples,
    step: int,
    progress: Progress,
    begin: int = 0,
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Yield batches of windows and the log-probabilities of their classes, shape (windows, 589, 7).

    The model runs once for all batches of digital silence: a small file may claim hours of it.

    Arguments are those of `segment`, and `begin`, the first window of the first batch: a multiple of BATCH.
    """
    run = _batches(model, waveform, step)
    of_silence: NDArray[np.float32] | None = None
    total = window_count(len(waveform), step)
    try:
        for first in range(begin, total, BATCH):
            progress(first / total)
            windows = slice(first, min(first + BATCH, total))
            starts = range(windows.start * step, windows.stop * step, step)
            silent = windows.stop < total and not waveform[starts[0] : starts[-1] + WINDOW].any()
            if silent and of_silence is not None:
                yield windows, of_silence
                continue
            scores = run(starts, windows.stop == total)
            of_silence = scores if silent else of_silence
            yield windows, scores
    finally:
        if isinstance(model, IntegerSegmentation):
            model.release()


def _batches(model: Model, waveform: Samples, step: int) -> Callable[[range, bool], NDArray[np.float32]]:
    """Return what computes the scores of the windows with some starts, shape (windows, 589, 7), the last ones or not.

    A session of onnxruntime gives back its memory after the last ones.
    """
    if isinstance(model, IntegerSegmentation):
        filtered = FilteredRecording(model.filters, waveform, step, BATCH)

        return lambda starts, _last: model.scores(filtered.windows(starts))

    def run(starts: range, last: bool) -> NDArray[np.float32]:
        audio = np.stack([padded(waveform, start, start + WINDOW) for start in starts])
        scores: NDArray[np.float32] = model.run(None, {"x": audio[:, None]}, last_call() if last else None)[0]
        return scores

    return run
