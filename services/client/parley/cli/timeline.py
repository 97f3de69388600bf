"""Turns on a terminal: a line per turn, and a coloured timeline with a row per speaker."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from rich.console import Console
from rich.text import Text

COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "red", "bright_cyan", "bright_magenta")
FULL, EMPTY = "█", "·"
ASCII_FULL, ASCII_EMPTY = "#", "."  # for encodings without the characters above
REVIEW_MARK = "?"
MAX_ROW_WIDTH = 100  # columns; a longer row is hard to follow
SHARE_WIDTH = len("  00:00:00 100%")


class TurnLike(Protocol):
    """A turn of this package or any other one. `needs_review`, `confidence` and `text` are shown if it has them."""

    @property
    def start(self) -> float: ...

    @property
    def end(self) -> float: ...

    @property
    def speaker(self) -> str: ...


def render_turns(turns: Sequence[TurnLike], seconds: float, console: Console) -> None:
    """Print the turns by start time, and the timeline below them.

    Args:
        turns: may overlap, and may be empty.
        seconds: length of the recording.
        console: where to print; its width and its colours are used.
    """
    if not turns:
        console.print(f"Nobody speaks in this recording of {clock(seconds)}.", highlight=False)
        return
    colours = _colours(turns)
    for turn in sorted(turns, key=lambda turn: turn.start):
        review = f"  {REVIEW_MARK} {getattr(turn, 'confidence', 0):.2f}" if _needs_review(turn) else ""
        label = (turn.speaker, colours[turn.speaker])
        said = f"  {text}" if (text := getattr(turn, "text", None)) else ""
        line = Text.assemble(f"{turn.start:9.2f} {turn.end:9.2f}  ", label, (review, "bold"), said)
        console.print(line, soft_wrap=True)
    console.print()
    for line in timeline(turns, seconds, console):
        console.print(line, soft_wrap=True)
    if to_review := sum(map(_needs_review, turns)):
        subject = "1 turn needs" if to_review == 1 else f"{to_review} turns need"
        console.print(f"\n{subject} review ({REVIEW_MARK}): the speaker is uncertain.", highlight=False)


def timeline(turns: Sequence[TurnLike], seconds: float, console: Console) -> list[Text]:
    """Return a row per speaker, in order of first appearance, and the axis below them."""
    colours = _colours(turns)
    full, empty = _characters(console)
    label_width = max((len(speaker) for speaker in colours), default=0)
    width = max(10, min(MAX_ROW_WIDTH, console.width - label_width - 1 - SHARE_WIDTH))
    rows = []
    for speaker, colour in colours.items():
        own = [turn for turn in turns if turn.speaker == speaker]
        row = "".join(full if talking else empty for talking in _talking(own, seconds, width))
        talked = sum(turn.end - turn.start for turn in own)
        share = f"  {clock(talked):>8} {talked / max(seconds, 1e-3):4.0%}"
        rows.append(Text.assemble(f"{speaker:<{label_width}} ", (row, colour), share))
    left, middle, right = clock(0), clock(seconds / 2), clock(seconds)
    axis = left + f"{middle:^{width - len(left) - len(right)}}" + right
    return [*rows, Text(" " * (label_width + 1) + axis, style="dim")]


def clock(seconds: float) -> str:
    """Return seconds as `m:ss`, from an hour on as `h:mm:ss`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _colours(turns: Iterable[TurnLike]) -> dict[str, str]:
    by_start = sorted(turns, key=lambda turn: turn.start)
    speakers = dict.fromkeys(turn.speaker for turn in by_start)
    return {speaker: COLOURS[number % len(COLOURS)] for number, speaker in enumerate(speakers)}


def _needs_review(turn: TurnLike) -> bool:
    return bool(getattr(turn, "needs_review", None))


def _talking(turns: Iterable[TurnLike], seconds: float, width: int) -> list[bool]:
    """Return for each column whether a turn touches it, so that short turns of long recordings are visible."""
    columns = [False] * width
    seconds_per_column = max(seconds, 1e-3) / width
    for turn in turns:
        first = min(width - 1, int(turn.start / seconds_per_column))
        last = min(width - 1, int(turn.end / seconds_per_column))
        columns[first : last + 1] = [True] * (last + 1 - first)
    return columns


def _characters(console: Console) -> tuple[str, str]:
    try:
        (FULL + EMPTY).encode(console.encoding)
    except (UnicodeEncodeError, LookupError):
        return ASCII_FULL, ASCII_EMPTY
    return FULL, EMPTY
