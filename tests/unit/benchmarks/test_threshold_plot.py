"""The picture of errors by threshold holds every set, in its place."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree

from benchmarks.threshold_plot import HEIGHT, MARGIN, NAMES, WIDTH, Line, plot

SVG = "{http://www.w3.org/2000/svg}"
LINES = [Line("calm", [(0.4, 5.0), (0.5, 5.0)]), Line("cliff", [(0.4, 6.0), (0.5, 18.0)])]


def test_a_line_per_set_rises_where_errors_do() -> None:
    picture = ElementTree.fromstring(plot(LINES, 0.45))
    calm, cliff = (line.get("points", "").split() for line in picture.iter(f"{SVG}polyline"))
    assert [place.split(",")[0] for place in calm] == [f"{MARGIN}.0", f"{WIDTH - NAMES}.0"]
    heights = [[float(place.split(",")[1]) for place in places] for places in (calm, cliff)]
    assert heights[0][0] == heights[0][1] == HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * 5 / 20
    assert heights[1][0] < heights[0][0]
    assert heights[1][1] == round(HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * 18 / 20, 1)


def test_names_that_would_lie_on_each_other_are_pushed_apart() -> None:
    alike = [Line(name, [(0.4, 5.0), (0.5, 5.0)]) for name in ("one", "two", "three")]
    texts = ElementTree.fromstring(plot(alike, 0.45)).iter(f"{SVG}text")
    places = sorted(float(text.get("y", "0")) for text in texts if text.text in ("one", "two", "three"))
    assert all(below - above >= 14 for above, below in pairwise(places))
