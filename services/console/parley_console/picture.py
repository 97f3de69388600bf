"""The timeline of a result as a picture: a lane per speaker, with shares of the speech and marks for review."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from xml.sax.saxutils import escape

from parley_core.result_document import ResultDocument
from parley_core.turns import Span, Turn, merge_spans

# The palette of static/colours.css, first for light surfaces. Each has a contrast of 3:1 to the background.
COLOURS = (
    "#4982c9", "#b8692c", "#32965e", "#8c6dbf", "#bf5e68", "#099393", "#858614", "#078cbc", "#a6770d", "#ad619e",
    "#2b568b", "#7f4413", "#17653c", "#5e4784", "#833b43", "#036262", "#595905", "#005d7f", "#704e03", "#763e6b",
)  # fmt: skip
INK, MUTED, RULE, TRACK, PAPER, REVIEW = "#1b2330", "#5a6675", "#d5dae1", "#f2f4f7", "#ffffff", "#a15c00"
FONTS = "Inter, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"

WIDTH, MARGIN, NAMES, SHARES = 1200, 24, 176, 132  # pixels: all, around, left of the lanes, right of them
LANE, BAR, AXIS = 36, 18, 34  # heights in pixels
LEFT, RIGHT = MARGIN + NAMES, WIDTH - MARGIN - SHARES
FINEST = 0.5  # pixels: shorter pauses are not drawn, so that hours of turns stay a small picture
LONGEST_NAME = 22  # characters
TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)  # seconds between two labels of the axis
MOST_TICKS = 9


def timeline_svg(result: ResultDocument, names: Mapping[str, str]) -> str:
    """Return the timeline of a result as a complete SVG document, 1200 pixels wide.

    Args:
        names: of speakers, by label; a speaker without a name is shown by label.
    """
    lanes = [_lane(result, label, names, row) for row, label in enumerate(result.speakers)]
    lanes_end = MARGIN + LANE * max(1, len(lanes))
    height = lanes_end + AXIS + MARGIN
    title = f"Who spoke when in a recording of {clock(result.recording.seconds)}: {_count(result)}"
    body = lanes or [_text(LEFT, MARGIN + LANE / 2, "Nobody speaks in this recording.", MUTED)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="title" font-family="{FONTS}" font-size="13">',
            f'<title id="title">{title}</title>',
            f'<rect width="{WIDTH}" height="{height}" fill="{PAPER}"/>',
            *body,
            _overlaps(result, lanes_end),
            _axis(result.recording.seconds, lanes_end),
            "</svg>\n",
        ]
    )


def clock(seconds: float) -> str:
    """Return a position as `0:07`, `12:31` or `3:59:10`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _count(result: ResultDocument) -> str:
    number = "1 speaker" if len(result.speakers) == 1 else f"{len(result.speakers)} speakers"
    if result.speaker_count is None or not result.speaker_count.needs_review:
        return number
    low, high = result.speaker_count.plausible
    return f"{number}, {low} to {high} are plausible"


def _lane(result: ResultDocument, label: str, names: Mapping[str, str], row: int) -> str:
    turns = [turn for turn in result.turns if turn.speaker == label]
    top = MARGIN + LANE * row
    bar_top, middle = top + (LANE - BAR) / 2, top + LANE / 2
    spoken = sum(turn.end - turn.start for turn in turns)
    share = spoken / max(1e-9, sum(turn.end - turn.start for turn in result.turns))
    scale = _scale(result.recording.seconds)
    review = [turn for turn in turns if result.engine.needs_review(turn)]
    colour = COLOURS[row % len(COLOURS)]
    name = names.get(label, label)
    short = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
    parts = [
        f'<rect x="{LEFT}" y="{bar_top}" width="{RIGHT - LEFT}" height="{BAR}" rx="3" fill="{TRACK}"/>',
        f'<rect x="{MARGIN}" y="{middle - 5}" width="10" height="10" rx="3" fill="{colour}"/>',
        _text(MARGIN + 18, middle, short, INK, weight=500),
        f'<path fill="{colour}" d="{_bars(turns, scale, bar_top, BAR)}"/>',
        _text(RIGHT + 12, middle, clock(spoken), INK),
        _text(WIDTH - MARGIN, middle, f"{share:.0%}", MUTED, anchor="end"),
    ]
    if result.engine.may_be_several(result.purity.get(label, 1.0)):
        parts.append(_text(MARGIN + 18, middle + 14, "may be several people", REVIEW, size=11))
    if review:
        parts.append(f'<path fill="{REVIEW}" d="{_bars(review, scale, bar_top + BAR + 2, 3)}"/>')
    return "\n".join(parts)


def _scale(seconds: float) -> float:
    """Return pixels per second."""
    return (RIGHT - LEFT) / max(seconds, 1e-3)


def _bars(spans: Iterable[Turn | Span], scale: float, top: float, height: float) -> str:
    """Return the path of the spans; those that a pixel cannot separate are one bar."""
    drawn = merge_spans(Span(one.start, max(one.end, one.start + 1 / scale) + FINEST / scale) for one in spans)
    return "".join(
        f"M{LEFT + one.start * scale:.1f} {top:g}h{(one.end - one.start) * scale - FINEST:.1f}v{height:g}"
        f"h-{(one.end - one.start) * scale - FINEST:.1f}z"
        for one in drawn
    )


def _overlaps(result: ResultDocument, lanes_end: float) -> str:
    if not result.overlaps:
        return ""
    bars = _bars(result.overlaps, _scale(result.recording.seconds), lanes_end + 2, 4)
    label = _text(MARGIN + 18, lanes_end + 4, "Overlap", MUTED, size=11)
    return f'{label}\n<path fill="{MUTED}" d="{bars}"/>'


def _axis(seconds: float, lanes_end: float) -> str:
    top = lanes_end + 10
    scale = _scale(seconds)
    parts = [f'<path stroke="{RULE}" d="M{LEFT} {top}H{RIGHT}"/>']
    step = next((step for step in TICKS if seconds / step <= MOST_TICKS), TICKS[-1])
    for second in range(0, int(seconds) + 1, step):
        x = LEFT + second * scale
        parts.append(f'<path stroke="{RULE}" d="M{x:.1f} {top}v5"/>')
        parts.append(_text(x, top + 15, clock(second), MUTED, anchor="middle", size=11))
    return "\n".join(parts)


def _text(x: float, y: float, text: str, colour: str, anchor: str = "start", size: int = 13, weight: int = 400) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" dominant-baseline="central" text-anchor="{anchor}" fill="{colour}" '
        f'font-size="{size}" font-weight="{weight}">{escape(text)}</text>'
    )
