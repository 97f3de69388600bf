"""Errors by threshold as a picture: one line per set of recordings, the threshold that is set in the middle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, MARGIN, NAMES = 640, 360, 48, 190  # pixels; NAMES is what the sets' names take at the right
COLOURS = ("#0059b3", "#b34700", "#007a3d", "#7a1fa2", "#b3003b", "#5c5c00", "#006d77", "#444", "#a0522d")
TICK = 5  # percent of errors from line to line
NEAR = 0.05  # of the threshold, on either side: the band that is shaded


@dataclass(frozen=True, slots=True)
class Line:
    """Errors of one set.

    Attributes:
        name: of the set.
        points: threshold and percent of errors, thresholds rising.
    """

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Frame:
    """Where numbers lie on the picture."""

    first: float
    last: float
    most: float

    def x(self, threshold: float) -> float:
        """Return pixels from the left."""
        return round(MARGIN + (WIDTH - MARGIN - NAMES) * (threshold - self.first) / (self.last - self.first), 1)

    def y(self, rate: float) -> float:
        """Return pixels from the top."""
        return round(HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * rate / self.most, 1)


def plot(lines: Sequence[Line], chosen: float) -> str:
    """Return an SVG."""
    thresholds = [threshold for threshold, _ in lines[0].points]
    most = max(rate for line in lines for _, rate in line.points)
    frame = Frame(thresholds[0], thresholds[-1], TICK * (most // TICK + 1))
    drawn = [_line(line, colour, frame) for line, colour in zip(lines, COLOURS * len(lines), strict=False)]
    body = [_band(chosen, frame), *_ticks(thresholds, frame), *drawn, *_names(lines, frame)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="sans-serif" font-size="12">\n<title>Errors by threshold</title>\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


def _band(chosen: float, frame: Frame) -> str:
    left, right = frame.x(chosen * (1 - NEAR)), frame.x(chosen * (1 + NEAR))
    return f'<rect x="{left}" y="{MARGIN}" width="{right - left:.1f}" height="{HEIGHT - 2 * MARGIN}" fill="#eee"/>'


def _ticks(thresholds: Sequence[float], frame: Frame) -> list[str]:
    across = [
        f'<path d="M{MARGIN} {frame.y(rate)}H{WIDTH - NAMES}" stroke="#ccc"/>'
        f'<text x="{MARGIN - 6}" y="{frame.y(rate) + 4}" text-anchor="end">{rate} %</text>'
        for rate in range(0, int(frame.most) + 1, TICK)
    ]
    below = [
        f'<text x="{frame.x(threshold)}" y="{HEIGHT - MARGIN + 16}" text-anchor="middle">{threshold:.3f}</text>'
        for threshold in thresholds
    ]
    middle = (MARGIN + WIDTH - NAMES) / 2
    title = f'<text x="{middle}" y="{HEIGHT - 10}" text-anchor="middle">threshold (shaded: 5 % either way)</text>'
    return [*across, *below, title]


def _line(line: Line, colour: str, frame: Frame) -> str:
    places = " ".join(f"{frame.x(threshold)},{frame.y(rate)}" for threshold, rate in line.points)
    return f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="2"/>'


def _names(lines: Sequence[Line], frame: Frame) -> list[str]:
    """Return the names beside the ends of their lines, pushed apart where they would lie on each other."""
    texts, lowest = [], 0.0
    order = sorted(range(len(lines)), key=lambda number: -lines[number].points[-1][1])
    for number in order:
        lowest = max(lowest + 14, frame.y(lines[number].points[-1][1]) + 4)
        colour = COLOURS[number % len(COLOURS)]
        texts.append(f'<text x="{WIDTH - NAMES + 6}" y="{lowest}" fill="{colour}">{lines[number].name}</text>')
    return texts
