"""The confidence in a turn: a logistic regression on four numbers that the engine computes anyway.

calibration.py holds its weights. `python -m benchmarks.tuning.confidence` fits and validates them; run it again
whenever the decisions of the engine change (docs/evaluation.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parley_worker.engines.onnx.assignment import Assignment
from parley_worker.engines.onnx.frames import FrameSegment
from parley_worker.engines.onnx.segmentation import Segmentation
from parley_worker.engines.onnx.trunk import Floats

EVIDENCE = ("margin", "similarity", "certainty", "overlap")
MAX_MARGIN = 6.0  # of scores; a larger margin says nothing more. Also the margin where there is no other speaker

Vector = NDArray[np.float64]


class Evidence:
    """The evidence for the turns of a recording.

    Args:
        segmentation: of the recording.
        assignment: the scores of its speakers.
        active: the decision, shape (frames, speakers or more).
    """

    def __init__(self, segmentation: Segmentation, assignment: Assignment, active: NDArray[np.bool_]) -> None:
        self._expected = segmentation.expected
        self._assignment = assignment
        self._active = active

    def of(self, segment: FrameSegment) -> Vector:
        """Return the evidence for a turn or a part of one, in the order of EVIDENCE, shape (4,).

        All four numbers are means over the frames of the segment:

        - margin: score minus that of the best speaker who is not active, at most MAX_MARGIN.
        - similarity: cosine similarity between the embedding frame and the speaker.
        - certainty: probability under the segmentation that at least as many people speak as the decision needs.
        - overlap: 1 where another speaker is active too, else 0.
        """
        part = slice(segment.first, segment.end)
        active = self._active[part]
        share, similarity = self._assignment.terms(part)
        scores = self._padded(self._assignment.combined(part, share, similarity))
        own = scores[:, segment.speaker]
        others = np.where(active, -np.inf, scores).max(axis=1)
        margin = (own - others).clip(0, MAX_MARGIN)
        better = (active & (scores > own[:, None])).sum(axis=1)  # active speakers with a higher score
        certainty = (self._expected[part] - better).clip(0, 1)
        overlap = active.sum(axis=1) > 1
        similarity = self._padded(similarity)[:, segment.speaker]
        return np.array([margin.mean(), similarity.mean(), certainty.mean(), overlap.mean()])

    def _padded(self, values: Floats) -> Floats:
        """Append zero columns for unknown speakers, who appear only in overlapped speech and have no embedding."""
        missing = self._active.shape[1] - values.shape[1]
        return np.pad(values, ((0, 0), (0, missing))) if missing else values


@dataclass(frozen=True, slots=True)
class Calibration:
    """Parameters of the logistic regression.

    Attributes:
        offset: log odds without evidence.
        weights: log odds per unit of each number of EVIDENCE.
        review_below: confidence below which a turn needs review.
    """

    offset: float
    weights: tuple[float, ...]
    review_below: float

    def confidence(self, evidence: Vector) -> float:
        """Return the probability that a moment of the turn has the right speaker label, from evidence of shape (4,)."""
        return float(1 / (1 + np.exp(-self.offset - evidence @ np.array(self.weights))))
