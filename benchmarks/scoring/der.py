"""Diarization error rate: the share of speaker time that is missed, false alarm or given to the wrong speaker.

Overlapped speech counts, no collar unless one is given, speakers are mapped so that they agree for as long as possible.
The measure is that of the NIST rich transcription evaluations (Fiscus et al., 2006), with the same counting as
pyannote.metrics.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from parley_core.turns import Span, Turn, merge_spans

Interval = tuple[float, frozenset[str], frozenset[str]]  # seconds, speakers of the reference, of the hypothesis


@dataclass(frozen=True, slots=True)
class Errors:
    """Seconds of speaker time, so that the errors of several recordings add up. `total` is that of the reference."""

    total: float = 0.0
    missed: float = 0.0
    false_alarm: float = 0.0
    confusion: float = 0.0

    @property
    def rate(self) -> float:
        """Errors in percent of the reference's speaker time.

        Raises:
            ZeroDivisionError: nobody speaks in the reference.
        """
        return 100 * (self.missed + self.false_alarm + self.confusion) / self.total

    def __add__(self, other: Errors) -> Errors:
        return Errors(
            self.total + other.total,
            self.missed + other.missed,
            self.false_alarm + other.false_alarm,
            self.confusion + other.confusion,
        )


def errors(
    reference: Iterable[Turn], hypothesis: Iterable[Turn], inside: Span | None = None, collar: float = 0.0
) -> Errors:
    """Return the errors of a hypothesis.

    Args:
        reference: the true turns.
        hypothesis: the turns to score.
        inside: score only this part (a UEM); None for everything.
        collar: seconds before and after each boundary of a true turn that are not scored.
    """
    true = _cut(reference, inside)
    boundaries = {boundary for turn in true for boundary in (turn.start, turn.end)} if collar else set()
    unscored = merge_spans([Span(boundary - collar, boundary + collar) for boundary in sorted(boundaries)])
    intervals = _intervals(true, _cut(hypothesis, inside), unscored)
    mapping = _mapping(intervals)
    return sum((_errors_of(interval, mapping) for interval in intervals), Errors())


def speaker_mapping(
    reference: Iterable[Turn], hypothesis: Iterable[Turn], inside: Span | None = None
) -> dict[str, str]:
    """Return the reference speaker of each hypothesis speaker who has one; arguments are those of `errors`."""
    intervals = _intervals(_cut(reference, inside), _cut(hypothesis, inside))
    return {found: true for true, found in _mapping(intervals)}


def miscounted(reference: Iterable[Turn], hypothesis: Iterable[Turn]) -> bool:
    """Return whether the number of speakers is wrong."""
    return len({turn.speaker for turn in reference}) != len({turn.speaker for turn in hypothesis})


def read_rttm(path: Path) -> list[Turn]:
    """Return the turns of an RTTM file."""
    rows = [line.split() for line in path.read_text().splitlines() if line.startswith("SPEAKER")]
    return [Turn(float(row[3]), float(row[3]) + float(row[4]), row[7]) for row in rows]


def _cut(turns: Iterable[Turn], inside: Span | None) -> list[Turn]:
    if inside is None:
        return list(turns)
    cut = (Turn(max(t.start, inside.start), min(t.end, inside.end), t.speaker) for t in turns)
    return [turn for turn in cut if turn.start < turn.end]


def _intervals(reference: Sequence[Turn], hypothesis: Sequence[Turn], unscored: Sequence[Span] = ()) -> list[Interval]:
    """Return the scored intervals between any two boundaries, with the active speakers of both sides."""
    edges = (*reference, *hypothesis, *unscored)
    boundaries = sorted({boundary for one in edges for boundary in (one.start, one.end)})
    return [
        (end - start, _speakers_at(reference, start), _speakers_at(hypothesis, start))
        for start, end in pairwise(boundaries)
        if not any(span.start <= start < span.end for span in unscored)
    ]


def _speakers_at(turns: Sequence[Turn], moment: float) -> frozenset[str]:
    return frozenset(turn.speaker for turn in turns if turn.start <= moment < turn.end)


def _mapping(intervals: Sequence[Interval]) -> set[tuple[str, str]]:
    """Return (reference, hypothesis) pairs, each speaker in at most one, that agree for the longest time."""
    true = sorted({name for _, speakers, _ in intervals for name in speakers})
    found = sorted({name for _, _, speakers in intervals for name in speakers})
    together = np.zeros((len(true), len(found)))
    for seconds, reference, hypothesis in intervals:
        rows = [true.index(name) for name in reference]
        columns = [found.index(name) for name in hypothesis]
        together[np.ix_(rows, columns)] += seconds
    pairs = zip(*linear_sum_assignment(together, maximize=True), strict=True)
    return {(true[row], found[column]) for row, column in pairs}


def _errors_of(interval: Interval, mapping: set[tuple[str, str]]) -> Errors:
    seconds, reference, hypothesis = interval
    right = sum((true, found) in mapping for true in reference for found in hypothesis)
    return Errors(
        total=seconds * len(reference),
        missed=seconds * max(0, len(reference) - len(hypothesis)),
        false_alarm=seconds * max(0, len(hypothesis) - len(reference)),
        confusion=seconds * (min(len(reference), len(hypothesis)) - right),
    )
