"""How sure the engine is of a turn: what it knows of it, and what knowing that was worth where the truth is known.

A logistic regression on four plain numbers. Its weights stand in calibration.py; `python -m benchmarks.confidence`
fits and checks them, and is to be run again whenever the engine decides otherwise than before (docs/engine.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parley_worker.engines.onnx.assignment import Assignment
from parley_worker.engines.onnx.frames import Run
from parley_worker.engines.onnx.segmentation import Segmentation
from parley_worker.engines.onnx.trunk import Frames

EVIDENCE = ("margin", "nearness", "sure", "overlap")
CLEAR = 6.0  # score ahead of the next speaker from which on more says nothing; also where there is no other speaker

Vector = NDArray[np.float64]


class Evidence:
    """What speaks for and against the turns of a recording.

    Args:
        heard: by the segmentation.
        decision: on its grounds.
        active: what was decided, shape (frames, speakers or more).
    """

    def __init__(self, heard: Segmentation, decision: Assignment, active: NDArray[np.bool_]) -> None:
        self._heard, self._decision, self._active = heard, decision, active

    def of(self, run: Run) -> Vector:
        """Return the numbers that EVIDENCE names, of a turn or of a part of one, means over its frames.

        margin: score ahead of the best speaker who is not said to talk, CLEAR at most. nearness: cosine between what is
        heard and the speaker. sure: probability that so many talk, as segmentation sees it. overlap: whether another
        speaker talks too.
        """
        part = slice(run.first, run.after)
        talking = self._active[part]
        share, nearness = self._decision.grounds(part)
        scores = self._padded(self._decision.weighed(part, share, nearness))
        own = scores[:, run.speaker]
        ahead = (own - np.where(talking, -np.inf, scores).max(axis=1)).clip(0, CLEAR)
        louder = (talking & (scores > own[:, None])).sum(axis=1)  # who of those that talk is more certain to
        return np.array(
            [
                ahead.mean(),
                self._padded(nearness)[:, run.speaker].mean(),
                (self._heard.expected[part] - louder).clip(0, 1).mean(),
                (talking.sum(axis=1) > 1).mean(),
            ]
        )

    def _padded(self, scores: Frames) -> Frames:
        """Add columns for those who were only found by talking at once with others: nothing speaks for them."""
        missing = self._active.shape[1] - scores.shape[1]
        return np.pad(scores, ((0, 0), (0, missing))) if missing else scores


@dataclass(frozen=True, slots=True)
class Calibration:
    """What evidence is worth.

    Attributes:
        offset: log odds without any.
        weights: log odds per unit of each number that EVIDENCE names.
        review_below: confidence below which a person should look.
    """

    offset: float
    weights: tuple[float, ...]
    review_below: float

    def confidence(self, evidence: Vector) -> float:
        """Return the probability that a moment of a turn is given to the right person."""
        return float(1 / (1 + np.exp(-self.offset - evidence @ np.array(self.weights))))
