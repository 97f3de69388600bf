"""Turns in the terminal: one line per turn, and a coloured timeline with one row per speaker."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from rich.console import Console
from rich.text import Text

COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "red", "bright_cyan", "bright_magenta")
FULL, EMPTY = "█", "·"
ASCII_FULL, ASCII_EMPTY = "#", "."  # where the terminal cannot show the others
DOUBT = "?"  # marks a turn that needs review
WIDEST_ROW = 100  # cells; a wider one is hard to read across
SHARE_WIDTH = len("  00:00:00 100%")


class TurnLike(Protocol):
    """One speaker talking without a break: this package's Turn, or any other with these three.

    Where it has `needs_review` and `confidence` too, they are shown.
    """

    @property
    def start(self) -> float: ...

    @property
    def end(self) -> float: ...

    @property
    def speaker(self) -> str: ...


def render_turns(turns: Sequence[TurnLike], seconds: float, console: Console) -> None:
    """Print the turns by start time, and under them the timeline.

    Args:
        turns: may overlap; none is fine.
        seconds: length of the recording.
        console: where to; its width is used, its colours as far as it has any.
    """
    if not turns:
        console.print(f"Nobody speaks in this recording of {clock(seconds)}.", highlight=False)
        return
    colours = _colours(turns)
    for turn in sorted(turns, key=lambda turn: turn.start):
        console.print(_turn_line(turn, colours[turn.speaker]), soft_wrap=True)
    console.print()
    for line in timeline(turns, seconds, console):
        console.print(line, soft_wrap=True)
    if doubtful := sum(map(_doubtful, turns)):
        subject = "1 turn needs" if doubtful == 1 else f"{doubtful} turns need"
        console.print(f"\n{subject} review ({DOUBT}): the engine is unsure who speaks.", highlight=False)


def timeline(turns: Sequence[TurnLike], seconds: float, console: Console) -> list[Text]:
    """Return one row per speaker, in order of first appearance, and the axis under them."""
    colours = _colours(turns)
    full, empty = _cells(console)
    label_width = max((len(speaker) for speaker in colours), default=0)
    width = max(10, min(WIDEST_ROW, console.width - label_width - 1 - SHARE_WIDTH))
    rows = []
    for speaker, colour in colours.items():
        own = [turn for turn in turns if turn.speaker == speaker]
        bar = "".join(full if spoken else empty for spoken in _spoken(own, seconds, width))
        row = Text.assemble(f"{speaker:<{label_width}} ", (bar, colour), _share(own, seconds))
        rows.append(row)
    return [*rows, _axis(seconds, label_width, width)]


def clock(seconds: float) -> str:
    """Return seconds as `m:ss`, from an hour on as `h:mm:ss`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _colours(turns: Iterable[TurnLike]) -> dict[str, str]:
    by_start = sorted(turns, key=lambda turn: turn.start)
    speakers = dict.fromkeys(turn.speaker for turn in by_start)
    return {speaker: COLOURS[number % len(COLOURS)] for number, speaker in enumerate(speakers)}


def _turn_line(turn: TurnLike, colour: str) -> Text:
    doubt = f"  {DOUBT} {getattr(turn, 'confidence', 0):.2f}" if _doubtful(turn) else ""
    return Text.assemble(f"{turn.start:9.2f} {turn.end:9.2f}  ", (turn.speaker, colour), (doubt, "bold"))


def _doubtful(turn: TurnLike) -> bool:
    return bool(getattr(turn, "needs_review", None))


def _spoken(turns: Iterable[TurnLike], seconds: float, width: int) -> list[bool]:
    """Say of each cell whether a turn touches it, so that a short turn in a long recording still shows."""
    cells = [False] * width
    per_cell = max(seconds, 1e-3) / width
    for turn in turns:
        first = min(width - 1, int(turn.start / per_cell))
        last = min(width - 1, int(turn.end / per_cell))
        cells[first : last + 1] = [True] * (last + 1 - first)
    return cells


def _share(turns: Iterable[TurnLike], seconds: float) -> str:
    talking = sum(turn.end - turn.start for turn in turns)
    return f"  {clock(talking):>8} {talking / max(seconds, 1e-3):4.0%}"


def _axis(seconds: float, label_width: int, width: int) -> Text:
    left, middle, right = clock(0), clock(seconds / 2), clock(seconds)
    room = width - len(left) - len(right)
    return Text(" " * (label_width + 1) + left + f"{middle:^{room}}" + right, style="dim")


def _cells(console: Console) -> tuple[str, str]:
    try:
        (FULL + EMPTY).encode(console.encoding)
    except (UnicodeEncodeError, LookupError):
        return ASCII_FULL, ASCII_EMPTY
    return FULL, EMPTY
