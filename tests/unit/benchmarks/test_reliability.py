"""Error measures of a confidence and its fit, on turns whose outcome is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.scoring.reliability import ScoredTurns
from benchmarks.tuning.confidence import Observations, fit
from parley_worker.engines.onnx.confidence import EVIDENCE

Vector = NDArray[np.float64]


def scored(confidence: list[float], right: list[float], seconds: list[float] | None = None) -> ScoredTurns:
    return ScoredTurns(np.array(confidence), np.array(right), np.array(seconds or [1.0] * len(right)))


def test_a_confidence_equal_to_the_right_share_has_no_calibration_error() -> None:
    found = scored([0.75] * 4 + [1.0], [1, 1, 1, 0, 1])
    assert found.calibration_error(found.seconds) == pytest.approx(0)


def test_the_calibration_error_is_the_weighted_mean_distance() -> None:
    found = scored([0.95, 0.55], [1.0, 0.25], [3, 1])
    assert found.calibration_error(found.seconds) == pytest.approx((3 * 0.05 + 1 * 0.30) / 4)
    assert found.calibration_error(np.ones(2)) == pytest.approx((0.05 + 0.30) / 2)


def test_separation_is_one_half_for_a_constant_and_one_if_wrong_turns_are_below_right_ones() -> None:
    apart = scored([0.2, 0.3, 0.8, 0.9], [0, 0, 1, 1])
    assert apart.separation(apart.seconds) == 1
    assert scored([0.9, 0.1], [0, 1]).separation(np.ones(2)) == 0
    halves = scored([0.5, 0.5], [0.5, 0.5])
    assert halves.separation(halves.seconds) == pytest.approx(0.5)


def test_review_returns_the_share_flagged_its_precision_and_its_recall() -> None:
    found = scored([0.1, 0.2, 0.3, 0.9, 0.9], [0, 1, 0.4, 0.2, 1])
    assert found.review(0.5) == pytest.approx((3 / 5, 2 / 3, 2 / 3))
    assert scored([0.9], [1]).review(0.5) == (0, 0, 0)


def test_a_fit_recovers_the_odds_and_flags_nine_of_ten_wrong_turns() -> None:
    random = np.random.default_rng(3)
    evidence = random.normal(0, 1, (4000, len(EVIDENCE)))
    true = 1 / (1 + np.exp(-(1.5 + 2.0 * evidence[:, 0] - 1.0 * evidence[:, 1])))
    known = Observations(evidence, (random.random(4000) < true).astype(float), np.ones(4000))
    found = fit(known)
    assert found.offset == pytest.approx(1.5, abs=0.2)
    assert found.weights == pytest.approx((2.0, -1.0, 0, 0), abs=0.2)
    result = known.scored(found)
    assert result.calibration_error(known.seconds) < 0.02
    assert result.review(found.review_below)[2] == pytest.approx(0.9, abs=0.05)
