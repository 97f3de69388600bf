"""The embeddings of a recording at three scales, all pooled from one pass of the trunk.

- Local speakers, one embedding per window and speaker: they link the decisions of a window to speakers.
- Sub-segments of two seconds: they are clustered. A local speaker is too long for that, since a window may mix two
  people in one local speaker.
- Embedding frames every tenth of a second: they decide again who speaks at each moment.

All are rounded: then a checkpoint is small, and an undisturbed run finds the same as one that goes on from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from parley_worker.engines.checkpoint import NO_CHECKPOINT, Checkpoint, Part
from parley_worker.engines.onnx.grid import FRAMES, LOCAL_SPEAKERS, SAMPLE_RATE, first_frames
from parley_worker.engines.onnx.segmentation import Segmentation
from parley_worker.engines.onnx.trunk import CHANNELS, DIMENSION, FRAMES_PER_SECOND, Floats, Head, unit

# In trunk frames (20 ms) from here on.
WINDOW = 499  # frames of a window; the 500th would need samples after its end
WINDOW_SPAN = 10 * FRAMES_PER_SECOND  # length of a window
MIN_ALONE = 10  # 0.2 s: with fewer, the overlapped speech of a local speaker is used too

SUBSEGMENT = 2 * FRAMES_PER_SECOND
SUBSEGMENT_HOP = FRAMES_PER_SECOND
MIN_SUBSEGMENT = 35  # 0.7 s of one local speaker alone; sub-segments with less are not clustered

EMBEDDING_HOP = 5  # between embedding frames
EMBEDDING_CONTEXT = 42  # on either side of an embedding frame: 1.7 s in all
MIN_EMBEDDING = 15  # 0.3 s in which one person speaks; with less, an embedding frame is zero

# The numbers of a unit vector are rounded to multiples of one over these: a cosine similarity gets an error of 0.009
# and 0.012 (standard deviation), and the DER moves by less than 0.01 points (ADR 16).
STEPS = 32
FRAME_STEPS = 24  # coarser, since frames are most of a checkpoint

_NEAREST = np.arange(WINDOW) * FRAMES // WINDOW  # segmentation frame of each trunk frame


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Unit vectors; zero where there is too little speech.

    Attributes:
        local: of each local speaker of each window, shape (windows, 3, 192).
        subsegments: shape (sub-segments, 192).
        seconds: speech that each sub-segment stands for, shape (sub-segments,). Overlapping windows share it.
        frames: one every tenth of a second, shape (embedding frames, 192); half precision to save memory.
    """

    local: Floats
    subsegments: Floats
    seconds: Floats
    frames: NDArray[np.float16]


def embed(
    head: Head,
    trunk_from: Callable[[int], Iterable[Floats]],
    segmentation: Segmentation,
    checkpoint: Checkpoint = NO_CHECKPOINT,
) -> Embeddings:
    """Return the embeddings of a recording.

    Args:
        head: of the embedding model.
        trunk_from: returns blocks of trunk frames from a trunk frame on, each of shape (frames, 512).
        segmentation: of the same recording.
        checkpoint: has the windows that an earlier attempt embedded.
    """
    windows = len(segmentation.activity)
    hop = segmentation.step * FRAMES_PER_SECOND // SAMPLE_RATE
    local = np.zeros((windows, LOCAL_SPEAKERS, DIMENSION), np.float32)
    frames = np.zeros(((hop * (windows - 1) + WINDOW) // EMBEDDING_HOP + 1, DIMENSION), np.float16)
    subsegments = []
    alone = []
    compute = partial(_embedded_windows, head, trunk_from, segmentation, hop)
    for first, end, found in checkpoint.continued("embedding", windows, compute):
        local[first:end] = _unit(found["local"]).reshape(-1, LOCAL_SPEAKERS, DIMENSION)
        subsegments.append(found["subsegments"])
        alone.append(found["alone"])
        begin = owned_frames(first, windows, hop)[0]
        frames[begin : begin + len(found["frames"])] = _unit(found["frames"])
    seconds = np.asarray(np.concatenate(alone) / FRAMES_PER_SECOND * (hop / WINDOW_SPAN), np.float32)
    return Embeddings(local, _unit(np.concatenate(subsegments)), seconds, frames)


def _embedded_windows(
    head: Head, trunk_from: Callable[[int], Iterable[Floats]], segmentation: Segmentation, hop: int, begin: int
) -> Iterator[Part]:
    """Yield the embeddings of each window from the window `begin` on; other arguments are those of `embed`."""
    windows = len(segmentation.activity)
    for window, trunk in enumerate(_windows(trunk_from(begin * hop), windows - begin, hop), begin):
        alone, spoken, single = _activity(segmentation, window)
        parts = _subsegment_masks(alone)
        owned = owned_frames(window, windows, hop)
        context = _context_masks(owned - window * hop // EMBEDDING_HOP, single)
        masks = np.concatenate([spoken, parts, context])[:, : len(trunk)]
        found = head.embed(trunk, masks)
        first, end = LOCAL_SPEAKERS, LOCAL_SPEAKERS + len(parts)
        arrays = {
            "local": _rounded(found[:first], STEPS),
            "subsegments": _rounded(found[first:end], STEPS),
            "alone": parts.sum(axis=1, dtype=np.uint8),
            "frames": _rounded(found[end:], FRAME_STEPS),
        }
        yield Part(window, window + 1, arrays)


def _rounded(vectors: Floats, steps: int) -> NDArray[np.int8]:
    return np.rint(vectors * steps).astype(np.int8)


def _unit(rounded: NDArray[np.int8]) -> Floats:
    """Return rounded vectors as unit vectors. Their squares add up without rounding, so the length is exact."""
    return unit(rounded.astype(np.float32))


def _windows(blocks: Iterable[Floats], windows: int, hop: int) -> Iterator[Floats]:
    """Yield the trunk frames of each window, shape (499 or fewer at the end, 512)."""
    source = iter(blocks)
    recent = np.zeros((0, CHANNELS), np.float32)
    for _ in range(windows):
        while len(recent) < WINDOW and (block := next(source, None)) is not None:
            recent = np.concatenate([recent, block])
        yield recent[:WINDOW]
        recent = recent[hop:]


def _activity(
    segmentation: Segmentation, window: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the activity in a window on the trunk's grid.

    Returns:
        Where each local speaker is alone, shape (3, 499); where each is to be embedded, shape (3, 499); and where
        exactly one person speaks, shape (499,).
    """
    active = segmentation.activity[window][_NEAREST].T.astype(np.bool_)
    alone = active & (active.sum(axis=0) == 1)
    spoken = np.where(alone.sum(axis=1, keepdims=True) > MIN_ALONE, alone, active)
    first = first_frames(window + 1, segmentation.step)[-1]
    single = np.rint(segmentation.expected[first + _NEAREST]) == 1
    return alone, spoken, single


def _subsegment_masks(alone: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the trunk frames of each sub-segment of a window, shape (sub-segments, 499)."""
    positions = np.arange(WINDOW)
    starts = np.arange(0, WINDOW - SUBSEGMENT + 1, SUBSEGMENT_HOP)[:, None]
    inside = (starts <= positions) & (positions < starts + SUBSEGMENT)
    candidates = (inside[:, None] & alone[None]).reshape(-1, WINDOW)
    return np.asarray(candidates[candidates.sum(axis=1) >= MIN_SUBSEGMENT])


def owned_frames(window: int, windows: int, hop: int) -> NDArray[np.int64]:
    """Return the embedding frames that are taken from a window: those of its middle, where it has most context.

    The first and the last window also own the frames at the ends of the recording.
    """
    edge = (WINDOW_SPAN - hop) // 2
    first = 0 if window == 0 else (window * hop + edge) // EMBEDDING_HOP
    end = window * hop + (WINDOW if window == windows - 1 else edge + hop)
    return np.arange(first, end // EMBEDDING_HOP)


def _context_masks(frames: NDArray[np.int64], single: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the trunk frames around each embedding frame in which one person speaks, shape (embedding frames, 499).

    A row with too few of them is empty.
    """
    near = np.abs(np.arange(WINDOW) - frames[:, None] * EMBEDDING_HOP) <= EMBEDDING_CONTEXT
    masks = near & single
    return np.asarray(masks & (masks.sum(axis=1, keepdims=True) >= MIN_EMBEDDING))
