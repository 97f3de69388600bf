"""How the turns of a result sound, compared with each other: the rest is decided again by them after a correction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from parley_core.turn_voices import LONGEST, PER_SECOND, STEPS, TurnVoices
from parley_core.turns import Turn
from parley_worker.engines.onnx.embedding import EMBEDDING_HOP
from parley_worker.engines.onnx.trunk import DIMENSION, FRAMES_PER_SECOND, unit

DIMENSIONS = 48  # of the largest variance; on the validation mixes no answer differs from that with all 192
LEAST_ALONE = 3  # embedding frames, 0.3 s; with fewer, the overlapped speech of a turn is used too

_HOP = EMBEDDING_HOP / FRAMES_PER_SECOND  # seconds


def turn_voices(turns: Sequence[Turn], frames: NDArray[np.float16]) -> TurnVoices:
    """Return the mean embedding frame of each turn, in a basis of the recording's own.

    Args:
        turns: of the result.
        frames: embedding frames, shape (embedding frames, 192).
    """
    spans = [_span(turn, len(frames)) for turn in turns]
    talking = np.zeros(len(frames), np.int64)
    for span in spans:
        talking[span] += 1
    vectors = np.zeros((len(turns), DIMENSION), np.float32)
    speech = np.zeros(len(turns), np.uint8)
    for number, span in enumerate(spans):
        part = frames[span].astype(np.float32)
        heard = part.any(axis=1)
        alone = heard & (talking[span] == 1)
        used = alone if alone.sum() >= LEAST_ALONE else heard
        vectors[number] = part[used].sum(axis=0)
        speech[number] = min(LONGEST, round(float(used.sum()) * _HOP * PER_SECOND))
    # In the basis of their own largest variance, their products stay, and what they are does not.
    left, lengths, _ = np.linalg.svd(unit(vectors), full_matrices=False)
    rotated = np.asarray((left * lengths)[:, :DIMENSIONS], np.float32)
    return TurnVoices(rotated.shape[1], np.rint(rotated * STEPS).astype(np.int8).tobytes(), speech.tobytes())


def _span(turn: Turn, frames: int) -> slice:
    """Return the embedding frames of a turn, at least one."""
    first = min(round(turn.start / _HOP), frames - 1)
    return slice(first, min(max(round(turn.end / _HOP), first + 1), frames))
