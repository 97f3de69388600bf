"""What a confidence is worth: held against the truth, in numbers and as a plot.

A judged turn has a confidence and a share of its time in which the person it is given to does speak. A reliable
confidence is that share, on the average over all turns of this confidence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

BINS = 10
SIDE, MARGIN = 320, 60  # of the plot, in pixels
WRONG = 0.5  # of a turn's time right: with less, the turn is given to the wrong person


@dataclass(frozen=True, slots=True)
class Judged:
    """Some turns held against the truth, each array of shape (turns,).

    Attributes:
        confidence: 0 to 1.
        right: share of the turn in which its person does speak.
        seconds: how long it is.
    """

    confidence: Vector
    right: Vector
    seconds: Vector

    def bins(self, weights: Vector) -> Vector:
        """Return weight, mean confidence and mean right share of tenths of the scale, shape (bins, 3), empty ones out.

        Args:
            weights: of the turns, shape (turns,): their seconds to count moments, ones to count turns.
        """
        place = np.minimum((self.confidence * BINS).astype(int), BINS - 1)
        sums = np.stack([np.bincount(place, weights * of, BINS) for of in (1.0, self.confidence, self.right)], axis=1)
        filled = sums[sums[:, 0] > 0]
        return np.column_stack([filled[:, 0], filled[:, 1:] / filled[:, :1]])

    def calibration_error(self, weights: Vector) -> float:
        """Return the expected calibration error (Naeini et al., 2015): mean distance of the two in a bin."""
        weight, confidence, right = self.bins(weights).T
        return float(np.average(np.abs(confidence - right), weights=weight))

    def separation(self, weights: Vector) -> float:
        """Return how often a right moment has the higher confidence than a wrong one (area under the ROC curve)."""
        order = np.argsort(self.confidence, kind="stable")
        right, wrong = (weights * self.right)[order], (weights * (1 - self.right))[order]
        below = np.cumsum(wrong) - wrong / 2
        return float((right * below).sum() / (right.sum() * wrong.sum()))

    def review(self, below: float) -> tuple[float, float, float]:
        """Return the share of turns to review, the share of these that are wrong, and the share of the wrong found."""
        flagged, wrong = self.confidence < below, self.right < WRONG
        found = float((flagged & wrong).sum())
        return float(flagged.mean()), found / max(1, flagged.sum()), found / max(1, wrong.sum())


def plot(judged: Judged, title: str) -> str:
    """Return an SVG: confidence to the right, share that is right upwards, a dot per bin as large as it is heavy."""
    dots = [_dot(*row) for row in judged.bins(judged.seconds / judged.seconds.sum())]
    ticks = [_tick(value) for value in (0.0, 0.25, 0.5, 0.75, 1.0)]
    size, middle = SIDE + 2 * MARGIN, MARGIN + SIDE / 2
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" width="{size}" height="{size}" '
            'font-family="sans-serif" font-size="12" text-anchor="middle">',
            f"<title>{title}</title>",
            f'<rect width="{size}" height="{size}" fill="#fff"/>',
            f'<rect x="{MARGIN}" y="{MARGIN}" width="{SIDE}" height="{SIDE}" fill="none" stroke="#999"/>',
            f'<path d="M{_x(0)} {_y(0)}L{_x(1)} {_y(1)}" stroke="#999" stroke-dasharray="4 4"/>',
            *ticks,
            *dots,
            f'<text x="{middle}" y="{MARGIN - 16}">{title}</text>',
            f'<text x="{middle}" y="{size - 8}">confidence</text>',
            f'<text transform="translate(12 {middle}) rotate(-90)">share of the time that is right</text>',
            "</svg>\n",
        ]
    )


def _dot(weight: float, confidence: float, right: float) -> str:
    radius = 3 + 17 * np.sqrt(weight)
    return f'<circle cx="{_x(confidence)}" cy="{_y(right)}" r="{radius:.1f}" fill="#06c" fill-opacity="0.6"/>'


def _tick(value: float) -> str:
    below, beside = MARGIN + SIDE + 16, MARGIN - 6
    return (
        f'<text x="{_x(value)}" y="{below}">{value:g}</text>'
        f'<text x="{beside}" y="{_y(value) + 4}" text-anchor="end">{value:g}</text>'
    )


def _x(value: float) -> float:
    return round(MARGIN + SIDE * float(value), 1)


def _y(value: float) -> float:
    return round(MARGIN + SIDE * (1 - float(value)), 1)
