"""Errors against cost as a picture: SVG, by hand, since two axes and a few points need no library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 44, 52  # margins
INK, FAINT, ACCENT, OTHER = "#1f2933", "#d5dbe1", "#0b7285", "#868e96"
TICKS = (1, 2, 5)  # of every power of ten


@dataclass(frozen=True, slots=True)
class Point:
    """An engine: processor seconds per audio second, and errors in percent."""

    title: str
    cost: float
    rate: float
    ours: bool


def plot(points: Sequence[Point], name: str) -> str:
    """Return an SVG of errors on the named recordings against cost, cost on a logarithmic scale."""
    low, high = _range([point.cost for point in points])
    most = ceil(max(point.rate for point in points) / 5) * 5

    def across(cost: float) -> float:
        return LEFT + (log10(cost) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def up(rate: float) -> float:
        return HEIGHT - BOTTOM - rate / most * (HEIGHT - TOP - BOTTOM)

    columns = _ticks(low, high)
    parts = [
        *(_line(across(tick), TOP, across(tick), HEIGHT - BOTTOM) for tick in columns),
        *(_text(across(tick), HEIGHT - BOTTOM + 18, f"{tick:g}", "middle") for tick in columns),
        *(_line(LEFT, up(rate), WIDTH - RIGHT, up(rate)) for rate in range(0, most + 1, 5)),
        *(_text(LEFT - 8, up(rate) + 4, f"{rate} %", "end") for rate in range(0, most + 1, 5)),
        *(_point(point, across(point.cost), up(point.rate)) for point in points),
        _text(LEFT, 24, f"Diarization errors ({name}; no collar, overlaps counted) against cost", "start", 15),
        _text(WIDTH - RIGHT, HEIGHT - 12, "processor seconds per second of audio, one thread", "end"),
    ]
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="12" fill="{INK}">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>\n{body}\n</svg>\n'
    )


def _range(costs: Sequence[float]) -> tuple[float, float]:
    """Return the powers of ten between which the axis runs, a tenth of a step wider than the points."""
    return floor(log10(min(costs)) * 10 - 1) / 10, ceil(log10(max(costs)) * 10 + 3) / 10


def _ticks(low: float, high: float) -> list[float]:
    powers = range(floor(low), ceil(high) + 1)
    return [tick * 10.0**power for power in powers for tick in TICKS if low <= log10(tick * 10.0**power) <= high]


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{FAINT}"/>'


def _text(x: float, y: float, words: str, anchor: str, size: int = 12) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(words)}</text>'


def _point(point: Point, x: float, y: float) -> str:
    """Draw one engine with its name above it, to the left where the picture ends."""
    anchor = "end" if x > WIDTH - 180 else "start"
    colour = ACCENT if point.ours else OTHER
    dot = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"/>'
    return dot + _text(x + (6 if anchor == "start" else -6), y - 9, point.title, anchor)
