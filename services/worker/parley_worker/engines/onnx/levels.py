"""How strongly each speaker is heard at each moment: the evidence by which the words of a transcript get speakers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from parley_worker.engines.onnx.decision import Decision
from parley_worker.engines.onnx.grid import FRAME_HOP, SAMPLE_RATE, frame_seconds
from parley_worker.engines.result import SpeakerLevels

POOLED = 3  # frames of one level, 51 ms: finer than the times of recognisers
BLOCK = 20_000 * POOLED  # frames that are computed at a time: bounds the memory for long recordings


def speaker_levels(decision: Decision) -> SpeakerLevels:
    """Return the mean of the decision and of the evidence for it.

    The evidence is the expected number of people who talk, dealt to the speakers by the softmax of their scores.
    """
    parts = [_levels(decision, start) for start in range(0, len(decision.active), BLOCK)]
    first = float(frame_seconds(np.array(POOLED // 2)))
    return SpeakerLevels(first, POOLED * FRAME_HOP / SAMPLE_RATE, np.concatenate(parts))


def _levels(decision: Decision, start: int) -> NDArray[np.uint8]:
    part = slice(start, min(start + BLOCK, len(decision.active)))
    share, expected = decision.shares(part)
    levels = (np.minimum(share * expected[:, None], 1.0) + decision.active[part]) / 2
    whole = np.pad(levels, ((0, -len(levels) % POOLED), (0, 0)), "edge").reshape(-1, POOLED, levels.shape[1])
    return np.asarray(np.rint(whole.mean(axis=1) * 255), np.uint8)
