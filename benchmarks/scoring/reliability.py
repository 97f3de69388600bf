"""Error measures of a confidence: how far it is from the share of time that is right, and what a review finds.

A scored turn has a confidence and the share of its time in which its speaker label is right. A reliable confidence
equals that share on average over all turns with this confidence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

BINS = 10
WRONG = 0.5  # a turn with a smaller share of right time is a wrong turn


@dataclass(frozen=True, slots=True)
class ScoredTurns:
    """Some turns compared with the reference, each array of shape (turns,).

    Attributes:
        confidence: 0 to 1.
        right: share of the turn in which its speaker label is right, 0 to 1.
        seconds: length of the turn.
    """

    confidence: Vector
    right: Vector
    seconds: Vector

    def bins(self, weights: Vector) -> Vector:
        """Return weight, mean confidence and mean right share of tenths of the scale, shape (non-empty bins, 3).

        Args:
            weights: of the turns, shape (turns,): their seconds to count time, ones to count turns.
        """
        place = np.minimum((self.confidence * BINS).astype(int), BINS - 1)
        columns = (np.ones(len(place)), self.confidence, self.right)
        sums = np.stack([np.bincount(place, weights * column, BINS) for column in columns], axis=1)
        filled = sums[sums[:, 0] > 0]
        return np.column_stack([filled[:, 0], filled[:, 1:] / filled[:, :1]])

    def calibration_error(self, weights: Vector) -> float:
        """Return the expected calibration error (Naeini et al., 2015): mean distance of confidence and right share."""
        weight, confidence, right = self.bins(weights).T
        return float(np.average(np.abs(confidence - right), weights=weight))

    def separation(self, weights: Vector) -> float:
        """Return the probability that right time has a higher confidence than wrong time (area under the ROC curve)."""
        order = np.argsort(self.confidence, kind="stable")
        right = (weights * self.right)[order]
        wrong = (weights * (1 - self.right))[order]
        below = np.cumsum(wrong) - wrong / 2
        return float((right * below).sum() / (right.sum() * wrong.sum()))

    def review(self, below: float) -> tuple[float, float, float]:
        """Return what a review of all turns below a confidence finds, three shares from 0 to 1.

        Returns:
            Turns to review of all turns, wrong turns of those to review (precision), and those of all wrong turns
            (recall).
        """
        flagged = self.confidence < below
        wrong = self.right < WRONG
        found = float((flagged & wrong).sum())
        return float(flagged.mean()), found / max(1, flagged.sum()), found / max(1, wrong.sum())
