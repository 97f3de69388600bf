"""The measures of a confidence, on turns whose truth is made up."""

from __future__ import annotations

import re

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.confidence import Evident, fit
from benchmarks.reliability import Judged, plot
from parley_worker.engines.onnx.confidence import EVIDENCE

Vector = NDArray[np.float64]


def judged(confidence: list[float], right: list[float], seconds: list[float] | None = None) -> Judged:
    return Judged(np.array(confidence), np.array(right), np.array(seconds or [1.0] * len(right)))


def test_a_confidence_that_is_the_share_that_is_right_has_no_calibration_error() -> None:
    found = judged([0.75] * 4 + [1.0], [1, 1, 1, 0, 1])
    assert found.calibration_error(found.seconds) == pytest.approx(0)


def test_the_calibration_error_is_the_mean_distance_by_weight() -> None:
    found = judged([0.95, 0.55], [1.0, 0.25], [3, 1])
    assert found.calibration_error(found.seconds) == pytest.approx((3 * 0.05 + 1 * 0.30) / 4)
    assert found.calibration_error(np.ones(2)) == pytest.approx((0.05 + 0.30) / 2)


def test_separation_is_one_half_for_a_constant_and_one_where_every_wrong_turn_has_less_than_every_right_one() -> None:
    apart = judged([0.2, 0.3, 0.8, 0.9], [0, 0, 1, 1])
    assert apart.separation(apart.seconds) == 1
    assert judged([0.9, 0.1], [0, 1]).separation(np.ones(2)) == 0
    halves = judged([0.5, 0.5], [0.5, 0.5])
    assert halves.separation(halves.seconds) == pytest.approx(0.5)


def test_review_counts_what_is_flagged_what_of_it_is_wrong_and_what_of_the_wrong_it_finds() -> None:
    found = judged([0.1, 0.2, 0.3, 0.9, 0.9], [0, 1, 0.4, 0.2, 1])
    assert found.review(0.5) == pytest.approx((3 / 5, 2 / 3, 2 / 3))
    assert judged([0.9], [1]).review(0.5) == (0, 0, 0)


def test_the_plot_has_a_dot_per_filled_bin_on_the_diagonal_where_confidence_is_right() -> None:
    svg = plot(judged([0.05, 0.55, 1.0], [0.05, 0.55, 1.0]), "three turns")
    dots = [(float(x), float(y)) for x, y in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', svg)]
    assert len(dots) == 3
    assert all(x + y == pytest.approx(dots[0][0] + dots[0][1], abs=0.2) for x, y in dots)
    assert "three turns" in svg


def test_a_fit_on_turns_of_known_odds_finds_them_and_flags_nine_of_ten_wrong_ones() -> None:
    random = np.random.default_rng(3)
    evidence = random.normal(0, 1, (4000, len(EVIDENCE)))
    true = 1 / (1 + np.exp(-(1.5 + 2.0 * evidence[:, 0] - 1.0 * evidence[:, 1])))
    known = Evident(evidence, (random.random(4000) < true).astype(float), np.ones(4000))
    found = fit(known)
    assert found.offset == pytest.approx(1.5, abs=0.2)
    assert found.weights == pytest.approx((2.0, -1.0, 0, 0), abs=0.2)
    result = known.judged(found)
    assert result.calibration_error(known.seconds) < 0.02
    assert result.review(found.review_below)[2] == pytest.approx(0.9, abs=0.05)
