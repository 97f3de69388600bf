"""What every engine hands out in the same shape: milliseconds, speakers named by first appearance, overlaps."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from itertools import pairwise
from math import floor

from parley_core.turns import Diarization, Span, Turn

NO_TURNS = Diarization(turns=(), exclusive_turns=(), overlaps=())

Stretch = tuple[float, float, Hashable]  # start and end in seconds, and the engine's own name of the speaker


def diarization(turns: Iterable[Stretch], exclusive: Iterable[Stretch], seconds: float) -> Diarization:
    """Return a Diarization of a recording of so many seconds; stretches shorter than a millisecond are dropped."""
    whole, single = _within(turns, seconds), _within(exclusive, seconds)
    names = {speaker: f"SPEAKER_{n:02d}" for n, speaker in enumerate(dict.fromkeys(s[2] for s in [*whole, *single]))}
    named = tuple(Turn(start, end, names[speaker]) for start, end, speaker in whole)
    return Diarization(
        turns=named,
        exclusive_turns=tuple(Turn(start, end, names[speaker]) for start, end, speaker in single),
        overlaps=overlaps(named),
    )


def overlaps(turns: Sequence[Turn]) -> tuple[Span, ...]:
    """Return the stretches in which two or more turns run at once, in order."""
    edges = sorted([(t.end, -1) for t in turns] + [(t.start, 1) for t in turns])
    found: list[Span] = []
    running = 0
    for (moment, change), (following, _) in pairwise(edges):
        running += change
        if running > 1 and following > moment:
            found.append(Span(moment, following))
    return _joined(found)


def _within(stretches: Iterable[Stretch], seconds: float) -> list[Stretch]:
    """Round to milliseconds inside the recording, in order of start, then of end."""
    length = floor(seconds * 1000) / 1000
    rounded = [(round(start, 3), min(round(end, 3), length), speaker) for start, end, speaker in stretches]
    return sorted((s for s in rounded if s[0] < s[1]), key=lambda s: (s[0], s[1], str(s[2])))


def _joined(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Join spans where one ends as the next begins."""
    joined: list[Span] = []
    for span in spans:
        if joined and joined[-1].end == span.start:
            joined[-1] = Span(joined[-1].start, span.end)
        else:
            joined.append(span)
    return tuple(joined)
