"""CAM++ in two parts: a trunk that runs once over the recording, and a head that makes a voice of any stretch of it.

The trunk gives 512 numbers every 20 ms; the head takes their mean and deviation over some frames and maps them to the
embedding. pyannote sends each second through the trunk thirty times, once per window and local speaker. Here it goes
through once, in blocks with margins, and the head, which costs next to nothing, runs as often as one likes.

The head leaves out the model's very last step, which sets negative numbers to zero: they tell people apart (pieces of
two seconds, equal error rate 0.4 instead of 1.2 %). It also takes out of every voice what the way to the microphone
adds to all voices alike: on a telephone, everybody sounds like everybody else (benchmarks/channels.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from parley_worker.engines.onnx import models
from parley_worker.engines.onnx.features import BANDS, FRAME, HOP, feature_count, log_mel

Frames = NDArray[np.float32]

BLOCK = 2600  # features: 26 s. Shorter ones hear too little context (10 s: 9.4 % of errors), longer ones cost more
MARGIN = 100  # features, or more, on either side of a block that only give context: 1 s
UNIT = 200  # features: the model takes whole segments of 2 s
STRIDE = 2  # features per trunk frame
FRAMES_PER_SECOND = 50
DIMENSION = 192  # of an embedding

OUTPUT = "/xvector/out_nonlinear/relu/Relu_output_0"  # (batch, 512, trunk frames): the last tensor before pooling
WEIGHT = "xvector.dense.linear.weight"
MEAN = "xvector.dense.nonlinear.batchnorm.running_mean"
VARIANCE = "xvector.dense.nonlinear.batchnorm.running_var"
INSIDE = (OUTPUT, WEIGHT, MEAN, VARIANCE)
VOICE_MODEL = models.voice_model(models.CHANNELS)
_EPSILON = 1e-5  # of the batch normalisation
_FEWEST = 2  # trunk frames; a deviation needs two


class Head:
    """The last layer of the model, on frames pooled by weight.

    Args:
        session: CAM++ with the tensors INSIDE as outputs.
        channels: directions that say nothing of a person, orthonormal rows, shape (any, 192); by default those of
            `channel_directions`.
    """

    def __init__(self, session: onnxruntime.InferenceSession, channels: Frames | None = None) -> None:
        anything = np.zeros((1, UNIT, BANDS), np.float32)
        weight, mean, variance = session.run([WEIGHT, MEAN, VARIANCE], {"feats": anything})
        scale = 1 / np.sqrt(variance + np.float32(_EPSILON))
        channels = channel_directions() if channels is None else channels
        personal = np.eye(DIMENSION, dtype=np.float32) - channels.T @ channels
        self._matrix: Frames = np.ascontiguousarray((weight[:, :, 0] * scale[:, None]).T @ personal)
        self._offset: Frames = (-mean * scale) @ personal

    def embed(self, frames: Frames, chosen: NDArray[np.bool_]) -> Frames:
        """Return unit embeddings of shape (stretches, 192), zero where a stretch has fewer than two frames.

        Args:
            frames: of the trunk, shape (frames, 512).
            chosen: which of them belong to each stretch, shape (stretches, frames).
        """
        weights = chosen.astype(np.float32)
        number = np.maximum(weights.sum(axis=1, keepdims=True), _FEWEST)
        mean = weights @ frames / number
        variance = np.maximum(weights @ (frames * frames) / number - mean * mean, 0) * (number / (number - 1))
        statistics = np.concatenate([mean, np.sqrt(variance)], axis=1)
        enough = weights.sum(axis=1, keepdims=True) >= _FEWEST
        return unit((statistics @ self._matrix + self._offset) * enough)


def channel_directions() -> Frames:
    """Return the directions in which voices differ by the way to the microphone, orthonormal rows, shape (3, 192).

    Raises:
        EngineMismatch: the file is missing, or not the one this version was built for.
    """
    return np.frombuffer(models.read_model(models.CHANNELS), "<f4").reshape(-1, DIMENSION)


def unit(vectors: Frames) -> Frames:
    """Return vectors (rows) of length one; a zero stays zero."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1), np.float32)


def trunk_frames(
    session: onnxruntime.InferenceSession, waveform: Frames, progress: Callable[[float], None]
) -> Iterator[Frames]:
    """Yield the trunk's frames of the recording in order, shape (frames, 512), a block at a time."""
    total = feature_count(len(waveform))
    for start, end in block_bounds(total):
        progress(start / total if total else 0.0)
        first, last = _with_margins(start, end, total)
        features = log_mel(waveform[first * HOP : (last - 1) * HOP + FRAME])
        features = np.pad(features - features.mean(axis=0), ((0, -(last - first) % UNIT), (0, 0)))
        frames = session.run([OUTPUT], {"feats": features[None]}, models.last_call() if end == total else None)[0][0].T
        yield frames[(start - first) // STRIDE : -(-(end - first) // STRIDE)]


def _with_margins(start: int, end: int, total: int) -> tuple[int, int]:
    """Return what a block needs to hear: as many whole units as hold it and its margins, where there is so much."""
    last = min(end + MARGIN, total)
    needed = last - max(0, start - MARGIN)
    return max(0, last + last % STRIDE - needed - -needed % UNIT), last


def block_bounds(features: int) -> list[tuple[int, int]]:
    """Cut so many features into blocks of one length, 17 to 39 s, in whole units but for what is left at the end.

    A short rest would be heard without context.
    """
    blocks = max(1, round(features / BLOCK)) if features else 0
    edges = [UNIT * round(features * n / blocks / UNIT) for n in range(blocks)] + [features]
    return list(pairwise(edges))
