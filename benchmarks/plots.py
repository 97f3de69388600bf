"""The pictures of the documentation, drawn by matplotlib as SVG."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullLocator

from benchmarks.scoring.reliability import ScoredTurns

STYLE = {
    "svg.hashsalt": "parley",  # with no date in the metadata: the same figures give the same bytes
    "svg.fonttype": "none",  # text stays text
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#d5dbe1",
}
OURS, OTHERS = "#0b7285", "#868e96"
COLUMNS = 5  # of small diagrams
NEAR = 0.05  # of the threshold, on either side: the shaded band


@dataclass(frozen=True, slots=True)
class Point:
    """An engine.

    Attributes:
        title: beside its point.
        cost: processor seconds per second of audio.
        rate: DER in percent.
        ours: whether to highlight it.
    """

    title: str
    cost: float
    rate: float
    ours: bool


@dataclass(frozen=True, slots=True)
class Line:
    """Errors of one set of recordings.

    Attributes:
        name: of the set.
        points: threshold and DER in percent, in order of the thresholds.
    """

    name: str
    points: Sequence[tuple[float, float]]


def plot_errors_against_cost(points: Sequence[Point], name: str) -> str:
    """Return an SVG of errors on the named recordings against cost, cost on a logarithmic scale."""
    with rc_context(STYLE):
        figure = Figure((7.2, 4), layout="constrained")
        axes = figure.add_subplot(
            xscale="log",
            xlabel="processor seconds per second of audio, one thread",
            ylabel="DER, %",
            title=f"{name}: DER (no collar, overlap counted) against cost",
        )
        for number, point in enumerate(sorted(points, key=lambda one: one.rate)):
            axes.scatter(point.cost, point.rate, color=OURS if point.ours else OTHERS, zorder=3, gid=point.title)
            above = number % 2 == 0  # so that the names of engines with similar errors do not overlap
            axes.annotate(
                point.title,
                (point.cost, point.rate),
                xytext=(0, 7 if above else -7),
                textcoords="offset points",
                ha="center",
                va="bottom" if above else "top",
            )
        axes.set_ylim(bottom=0, top=1.2 * max(point.rate for point in points))
        axes.margins(x=0.15)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
        axes.xaxis.set_minor_locator(NullLocator())
        return _svg(figure)


def plot_reliability(turns: ScoredTurns, title: str) -> str:
    """Return an SVG of the right share against the confidence, one point per bin, its area the time in the bin."""
    with rc_context(STYLE):
        figure = Figure((4.4, 4.4), layout="constrained")
        axes = figure.add_subplot(
            aspect="equal",
            xlim=(-0.05, 1.05),
            ylim=(-0.05, 1.05),
            xlabel="confidence",
            ylabel="share of the time with the right speaker label",
            title=title,
        )
        axes.title.set_fontsize("medium")
        axes.plot([0, 1], [0, 1], linestyle="--", color=OTHERS)
        weight, confidence, right = turns.bins(turns.seconds / turns.seconds.sum()).T
        axes.scatter(confidence, right, s=20 + 900 * weight, color=OURS, alpha=0.6, zorder=3, gid="bins")
        return _svg(figure)


def plot_reliability_by_condition(conditions: Mapping[str, ScoredTurns]) -> str:
    """Return an SVG with a reliability diagram per condition, as `plot_reliability` draws one."""
    columns = min(len(conditions), COLUMNS)
    rows = -(-len(conditions) // columns)
    with rc_context(STYLE):
        figure = Figure((2.1 * columns, 2.3 * rows), layout="constrained")
        for place, (name, turns) in enumerate(conditions.items(), 1):
            weight, confidence, right = turns.bins(turns.seconds / turns.seconds.sum()).T
            error = turns.calibration_error(turns.seconds)
            axes = figure.add_subplot(rows, columns, place, aspect="equal", xlim=(-0.05, 1.05), ylim=(-0.05, 1.05))
            axes.set_title(f"{name}: {error:.3f}", fontsize="small")
            axes.tick_params(labelsize="small")
            axes.plot([0, 1], [0, 1], linestyle="--", color=OTHERS)
            axes.scatter(confidence, right, s=10 + 300 * weight, color=OURS, alpha=0.6, zorder=3, gid="bins")
        figure.supxlabel("confidence", fontsize="medium")
        figure.supylabel("share of the time with the right speaker label", fontsize="medium")
        return _svg(figure)


def plot_errors_by_threshold(lines: Sequence[Line], chosen: float) -> str:
    """Return an SVG with a line per set of recordings; the band around the chosen threshold is shaded."""
    with rc_context(STYLE):
        figure = Figure((7.2, 4), layout="constrained")
        axes = figure.add_subplot(xlabel="threshold (shaded: 5 % on either side of the chosen one)", ylabel="DER, %")
        axes.axvspan(chosen * (1 - NEAR), chosen * (1 + NEAR), color="#eeeeee", zorder=0)
        for line in lines:
            thresholds, rates = np.array(line.points).T
            axes.plot(thresholds, rates, label=line.name, gid=line.name)
        axes.set_ylim(bottom=0)
        axes.set_xticks([threshold for threshold, _ in lines[0].points])
        axes.xaxis.set_major_formatter(FormatStrFormatter("%.3f"))
        figure.legend(loc="outside right upper", frameon=False)
        return _svg(figure)


def _svg(figure: Figure) -> str:
    buffer = io.BytesIO()
    FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": None})
    return buffer.getvalue().decode()
