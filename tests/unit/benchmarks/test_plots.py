"""The pictures contain every figure, in its place."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.plots import (
    Line,
    Point,
    plot_errors_against_cost,
    plot_errors_by_threshold,
    plot_reliability,
    plot_reliability_by_condition,
)
from benchmarks.scoring.reliability import ScoredTurns

Places = NDArray[np.float64]

SVG = "{http://www.w3.org/2000/svg}"


def texts_of(picture: ElementTree.Element) -> set[str]:
    """Return the texts of a picture."""
    return {text.text or "" for text in picture.iter(f"{SVG}text")}


def shapes_of(picture: ElementTree.Element, group: str) -> list[Places]:
    """Return the points of each shape of a group, shape (points, 2), in pixels from the left and the top."""
    found = next(element for element in picture.iter(f"{SVG}g") if element.get("id") == group)
    markers = [f"{use.get('x')} {use.get('y')}" for use in found.iter(f"{SVG}use")]
    paths = markers or [path.get("d", "") for path in found.iter(f"{SVG}path")]
    return [np.array(re.findall(r"([\d.]+) ([\d.]+)\s", path + " "), float) for path in paths]


def centre(shape: Places) -> Places:
    return np.asarray((shape.min(axis=0) + shape.max(axis=0)) / 2)


def test_errors_against_cost_names_every_engine_and_puts_cheaper_ones_left_and_better_ones_below() -> None:
    points = [Point("dear <one>", 0.2, 10.0, False), Point("cheap", 0.01, 5.0, True)]
    picture = ElementTree.fromstring(plot_errors_against_cost(points, "talks"))
    dear, cheap = (centre(shapes_of(picture, point.title)[0]) for point in points)
    assert {"dear <one>", "cheap"} <= texts_of(picture)
    assert cheap[0] < dear[0]
    assert cheap[1] > dear[1]


def test_errors_by_threshold_has_a_named_line_per_set_that_rises_where_errors_do() -> None:
    lines = [Line("calm", [(0.4, 5.0), (0.5, 5.0)]), Line("steep", [(0.4, 6.0), (0.5, 18.0)])]
    picture = ElementTree.fromstring(plot_errors_by_threshold(lines, 0.45))
    calm, steep = (shapes_of(picture, line.name)[0] for line in lines)
    assert {"calm", "steep", "0.400", "0.500"} <= texts_of(picture)
    assert calm[0, 1] == calm[1, 1]
    assert (calm[:, 0] == steep[:, 0]).all()
    assert (steep[0, 1] - steep[1, 1]) / (calm[0, 1] - steep[0, 1]) == pytest.approx(12, rel=1e-3)


def test_the_reliability_diagram_has_a_point_per_bin_on_the_diagonal_if_the_confidence_is_right() -> None:
    values = np.array([0.05, 0.55, 1.0])
    text = plot_reliability(ScoredTurns(values, values, np.ones(3)), "three turns")
    picture = ElementTree.fromstring(text)
    points = [centre(shape) for shape in shapes_of(picture, "bins")]
    assert len(points) == 3
    assert "three turns" in texts_of(picture)
    assert all(point.sum() == pytest.approx(points[0].sum(), abs=0.2) for point in points)


def test_each_condition_has_its_reliability_with_its_calibration_error() -> None:
    values = np.array([0.05, 0.55, 1.0])
    right, wrong = ScoredTurns(values, values, np.ones(3)), ScoredTurns(np.ones(2), np.zeros(2), np.ones(2))
    picture = ElementTree.fromstring(plot_reliability_by_condition({"calm": right, "noise": wrong}))
    assert {"calm: 0.000", "noise: 1.000"} <= texts_of(picture)


def test_the_same_figures_give_the_same_picture() -> None:
    lines = [Line("calm", [(0.4, 5.0), (0.5, 5.0)])]
    assert plot_errors_by_threshold(lines, 0.45) == plot_errors_by_threshold(lines, 0.45)
