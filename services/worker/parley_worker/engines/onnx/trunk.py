"""CAM++ in two parts: a trunk that runs once over the recording, and a head that embeds any part of it.

The trunk yields a vector of 512 numbers every 20 ms. The head takes the mean and the standard deviation of some of
these frames and maps them to an embedding. pyannote.audio sends each second through the trunk up to thirty times, once
per window and local speaker. Here each second passes through it once, in blocks with margins, and the head, which costs
next to nothing, runs as often as needed.

The head differs from the released model in two ways:
- It omits the final ReLU, since negative components separate speakers too: for sub-segments of two seconds, the equal
  error rate is 0.4 instead of 1.2 %.
- It projects out the channel subspace, the directions in which telephones and narrow bands move the embeddings of all
  speakers alike (nuisance attribute projection, benchmarks/tuning/channel_subspace.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from parley_worker.engines.onnx import models
from parley_worker.engines.onnx.features import BANDS, FRAME, HOP, feature_count, log_mel

Floats = NDArray[np.float32]

BLOCK = 2600  # features, 26 s. Shorter blocks lack context (10 s: DER 9.4 %), longer ones cost more
MARGIN = 100  # features, 1 s: minimum context on either side of a block
UNIT = 200  # features: the model takes whole segments of 2 s
STRIDE = 2  # features per trunk frame
FRAMES_PER_SECOND = 50
CHANNELS = 512  # of a trunk frame
DIMENSION = 192  # of an embedding

OUTPUT = "/xvector/out_nonlinear/relu/Relu_output_0"  # (batch, 512, trunk frames): the last tensor before pooling
WEIGHT = "xvector.dense.linear.weight"
MEAN = "xvector.dense.nonlinear.batchnorm.running_mean"
VARIANCE = "xvector.dense.nonlinear.batchnorm.running_var"
INNER_TENSORS = (OUTPUT, WEIGHT, MEAN, VARIANCE)
EMBEDDING_MODEL = models.embedding_model(models.CHANNEL_SUBSPACE)

_EPSILON = 1e-5  # of the batch normalisation
_MIN_FRAMES = 2  # for a standard deviation


class LastLayer(NamedTuple):
    """The last layer of the model: weight (192, 1024) and its batch normalisation's mean and variance, both (192,)."""

    weight: Floats
    mean: Floats
    variance: Floats


class Trunk(Protocol):
    """What computes trunk frames.

    Attributes:
        last_layer: of the model.
    """

    @property
    def last_layer(self) -> LastLayer: ...

    def frames(self, features: Floats) -> Floats:
        """Return trunk frames, shape (frames / 2, 512), from features less their mean, shape (multiple of 200, 80)."""

    def release(self) -> None:
        """Give back the memory that the next call would use again."""


class ReleasedTrunk:
    """The trunk as it was released, on onnxruntime.

    Args:
        threads: of onnxruntime.

    Raises:
        EngineMismatch: the model file is missing, or its SHA-256 is not the pinned one.
    """

    def __init__(self, threads: int = 1) -> None:
        model = models.with_outputs(models.read_model(models.EMBEDDING), INNER_TENSORS)
        self._session = models.open_session(model, threads)
        unused = np.zeros((1, UNIT, BANDS), np.float32)
        weight, mean, variance = self._session.run([WEIGHT, MEAN, VARIANCE], {"feats": unused})
        self.last_layer = LastLayer(weight[:, :, 0], mean, variance)

    def frames(self, features: Floats) -> Floats:
        """See Trunk."""
        return np.asarray(self._session.run([OUTPUT], {"feats": features[None]})[0][0].T)

    def release(self) -> None:
        """See Trunk."""
        self._session.run([OUTPUT], {"feats": np.zeros((1, UNIT, BANDS), np.float32)}, models.last_call())


class Head:
    """The last layer of the model, applied to masked trunk frames.

    Args:
        layer: the last layer.
        subspace: directions to project out, orthonormal rows, shape (any, 192); default: `channel_subspace()`.
    """

    def __init__(self, layer: LastLayer, subspace: Floats | None = None) -> None:
        weight, mean, variance = layer
        scale = 1 / np.sqrt(variance + np.float32(_EPSILON))
        subspace = channel_subspace() if subspace is None else subspace
        projection = np.eye(DIMENSION, dtype=np.float32) - subspace.T @ subspace
        self._matrix: Floats = np.ascontiguousarray((weight * scale[:, None]).T @ projection)
        self._offset: Floats = (-mean * scale) @ projection

    def embed(self, frames: Floats, masks: NDArray[np.bool_]) -> Floats:
        """Return one embedding per mask.

        Args:
            frames: of the trunk, shape (frames, 512).
            masks: frames that belong to each embedding, shape (embeddings, frames).

        Returns:
            Unit vectors, shape (embeddings, 192); zero where a mask has fewer than two frames.
        """
        if not masks.any():
            return np.zeros((len(masks), DIMENSION), np.float32)
        weights = masks.astype(np.float32)
        number = np.maximum(weights.sum(axis=1, keepdims=True), _MIN_FRAMES)
        mean = weights @ frames / number
        variance = np.maximum(weights @ (frames * frames) / number - mean * mean, 0) * (number / (number - 1))
        statistics = np.concatenate([mean, np.sqrt(variance)], axis=1)
        enough = weights.sum(axis=1, keepdims=True) >= _MIN_FRAMES
        return unit((statistics @ self._matrix + self._offset) * enough)


def channel_subspace() -> Floats:
    """Return the directions in which recording channels move all embeddings, orthonormal rows, shape (3, 192).

    Raises:
        EngineMismatch: the file is missing, or its SHA-256 is not the pinned one.
    """
    return np.frombuffer(models.read_model(models.CHANNEL_SUBSPACE), "<f4").reshape(-1, DIMENSION)


def unit(vectors: Floats) -> Floats:
    """Return rows scaled to length one; a zero row stays zero."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1), np.float32)


def trunk_frames(trunk: Trunk, waveform: Floats, progress: Callable[[float], None], begin: int = 0) -> Iterator[Floats]:
    """Yield the trunk frames of a recording in order, shape (frames, 512), block by block.

    The model runs once for all equally long blocks of digital silence.

    Args:
        trunk: the model; its memory is given back at the end, and where the work is broken off.
        waveform: shape (samples,), 16 kHz.
        progress: called with 0 to 1 before each block; its exceptions pass through.
        begin: the first trunk frame to yield. Blocks before it are not computed.
    """
    of_silence: dict[int, Floats] = {}
    total = feature_count(len(waveform))
    try:
        for start, end in block_bounds(total):
            if -(-end // STRIDE) <= begin:
                continue
            progress(start / total if total else 0.0)
            first, last = block_input(start, end, total)
            part = waveform[first * HOP : (last - 1) * HOP + FRAME]
            silent = end < total and not part.any()
            if not silent or len(part) not in of_silence:
                features = log_mel(part)
                padding = (0, -(last - first) % UNIT), (0, 0)
                frames = trunk.frames(np.pad(features - features.mean(axis=0), padding))
            if silent:
                frames = of_silence.setdefault(len(part), frames)
            wanted = max(start, begin * STRIDE)
            yield frames[(wanted - first) // STRIDE : -(-(end - first) // STRIDE)]
    finally:  # whoever needs no frames beyond the last window's does not ask for the end
        trunk.release()


def block_bounds(features: int) -> list[tuple[int, int]]:
    """Return the starts and ends of equally long blocks of 17 to 39 s that cover a number of features.

    Lengths are whole units, except for the remainder in the last block. Equal blocks avoid a short last one, which
    would lack context.
    """
    blocks = max(1, round(features / BLOCK)) if features else 0
    edges = [UNIT * round(features * number / blocks / UNIT) for number in range(blocks)]
    return list(pairwise([*edges, features]))


def block_input(start: int, end: int, total: int) -> tuple[int, int]:
    """Return the first feature and the end of a block's input: the block and its margins, widened to whole units.

    At the start and the end of the recording there are fewer features.
    """
    last = min(end + MARGIN, total)
    needed = last - max(0, start - MARGIN)
    first = last + last % STRIDE - needed - -needed % UNIT
    return max(0, first), last
