"""`python -m tools.observability.pictures URL` draws every dashboard from a Prometheus into docs/img/dashboard-*.png.

The panels ask the same queries as in Grafana, about the last minutes of the release that `make observe` runs.
"""

from __future__ import annotations

import argparse
import math
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import dates
from matplotlib import pyplot as plt

from tools.observability import dashboards, page, rules
from tools.observability.answers import Answers, Series
from tools.observability.dashboards.panels import Board, Panel, Row

FOLDER = rules.ROOT / "docs" / "img"
COLUMNS, STEPS = 3, 90
DRAWN = ("lines", "stat", "table")


def draw(board: Board, answers: Answers, minutes: float) -> Path:
    """Draw one dashboard; return its file. Raises httpx.HTTPError without an answer."""
    panels = [(row, panel) for row in board.rows for panel in row.panels if panel.kind in DRAWN]
    height = math.ceil(len(panels) / COLUMNS)
    figure, places = plt.subplots(height, COLUMNS, figsize=(5 * COLUMNS, 2.9 * height), squeeze=False)
    for place in places.flat:
        place.set_axis_off()
    end = time.time()
    for place, (row, panel) in zip(places.flat, panels, strict=False):
        _title(place, row, panel)
        if panel.kind == "lines":
            step = minutes * 60 / STEPS
            found = [one for query in panel.queries for one in answers.between(query, end - minutes * 60, end, step)]
            _lines(place, panel, found)
            place.set_xlim(datetime.fromtimestamp(end - minutes * 60, UTC), datetime.fromtimestamp(end, UTC))
        else:
            _numbers(place, panel, [(query.legend, one) for query in panel.queries for one in answers.now(query)])
    figure.suptitle(board.title, x=0.01, ha="left", fontweight="bold")
    figure.tight_layout()
    file = FOLDER / f"dashboard-{dashboards.path(board).stem}.png"
    figure.savefig(file, dpi=70, metadata={"Software": None})
    plt.close(figure)
    return file


def _title(place: Any, row: Row, panel: Panel) -> None:
    unit = {"s": " (s)", "bytes": " (bytes)", "percentunit": " (share)"}.get(panel.unit, "")
    place.set_title(f"{row.title}: {panel.title}{unit}", fontsize=9, loc="left")


def _lines(place: Any, panel: Panel, found: list[Series]) -> None:
    place.set_axis_on()
    for series in found:
        when = [datetime.fromtimestamp(moment, UTC) for moment, _ in series.points]
        place.plot(when, [value for _, value in series.points], linewidth=1, label=series.legend)
    place.xaxis.set_major_formatter(dates.DateFormatter("%H:%M"))
    place.tick_params(labelsize=7)
    place.grid(alpha=0.3)
    if panel.minimum is not None:
        place.set_ylim(bottom=panel.minimum)
    if found:
        place.legend(fontsize=6, loc="upper left", ncols=2)


def _numbers(place: Any, panel: Panel, found: list[tuple[str, Series]]) -> None:
    if not found:
        place.text(0, 0.8, "nothing", fontsize=9)
    for index, (name, series) in enumerate(found[:18]):
        across, down = divmod(index, 9)
        text = f"{series.legend} {name}" if panel.kind == "table" else series.legend
        value = page.text_of(series.points[-1][1], panel.unit)
        place.text(0.5 * across, 0.92 - 0.105 * down, f"{value}  {text}", fontsize=8, transform=place.transAxes)


def main() -> None:
    """Draw every dashboard that asks Prometheus."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="address of Prometheus, which `make observe` prints")
    parser.add_argument("--minutes", type=float, default=10)
    arguments = parser.parse_args()
    with Answers(arguments.url, rules.LABELS) as answers:
        for board in dashboards.BOARDS:
            print(draw(board, answers, arguments.minutes))


if __name__ == "__main__":
    main()
