"""Diarization error rate: the share of spoken time that was missed, made up, or given to the wrong person.

No collar, overlapped speech counted, speakers matched so that they agree for as long as possible. The measure of the
NIST rich transcription evaluations (Fiscus et al., 2006), by the same counting as pyannote.metrics.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from parley_core.turns import Span, Turn

Slice = tuple[float, frozenset[str], frozenset[str]]  # seconds, who speaks, who is said to speak


@dataclass(frozen=True, slots=True)
class Errors:
    """Seconds of speaker time, so that the errors of several recordings add up. `total` is what the reference holds."""

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


def errors(reference: Iterable[Turn], hypothesis: Iterable[Turn], inside: Span | None = None) -> Errors:
    """Hold turns against the true ones.

    Args:
        inside: score only this stretch (a UEM); without it, all that either side speaks.
    """
    slices = list(_slices(_cut(reference, inside), _cut(hypothesis, inside)))
    pairs = _mapping(slices)
    return sum((_of_slice(piece, pairs) for piece in slices), Errors())


def matched(reference: Iterable[Turn], hypothesis: Iterable[Turn], inside: Span | None = None) -> dict[str, str]:
    """Return the true speaker of each said one, so that they agree for as long as possible; some may have none."""
    slices = list(_slices(_cut(reference, inside), _cut(hypothesis, inside)))
    return {said: true for true, said in _mapping(slices)}


def miscounted(reference: Iterable[Turn], hypothesis: Iterable[Turn]) -> bool:
    """Return whether the number of speakers is wrong."""
    return len({turn.speaker for turn in reference}) != len({turn.speaker for turn in hypothesis})


def read_rttm(path: Path) -> list[Turn]:
    """Return the turns of an RTTM file."""
    fields = (line.split() for line in path.read_text().splitlines() if line.startswith("SPEAKER"))
    return [Turn(float(f[3]), float(f[3]) + float(f[4]), f[7]) for f in fields]


def _cut(turns: Iterable[Turn], inside: Span | None) -> list[Turn]:
    if inside is None:
        return list(turns)
    cut = (Turn(max(t.start, inside.start), min(t.end, inside.end), t.speaker) for t in turns)
    return [turn for turn in cut if turn.start < turn.end]


def _slices(reference: Sequence[Turn], hypothesis: Sequence[Turn]) -> Iterator[Slice]:
    """Yield the stretches between any two edges, with who is at work in them on either side."""
    edges = sorted({edge for turn in (*reference, *hypothesis) for edge in (turn.start, turn.end)})
    for start, end in pairwise(edges):
        yield end - start, _speaking(reference, start), _speaking(hypothesis, start)


def _speaking(turns: Sequence[Turn], moment: float) -> frozenset[str]:
    return frozenset(turn.speaker for turn in turns if turn.start <= moment < turn.end)


def _mapping(slices: Sequence[Slice]) -> set[tuple[str, str]]:
    """Return (true, said) pairs, each speaker in one at most, that agree for the longest time."""
    true = sorted({name for _, speaking, _ in slices for name in speaking})
    said = sorted({name for _, _, speaking in slices for name in speaking})
    together = np.zeros((len(true), len(said)))
    for seconds, speaking, heard in slices:
        together[np.ix_([true.index(n) for n in speaking], [said.index(n) for n in heard])] += seconds
    rows, columns = linear_sum_assignment(together, maximize=True)
    return {(true[row], said[column]) for row, column in zip(rows, columns, strict=True)}


def _of_slice(piece: Slice, pairs: set[tuple[str, str]]) -> Errors:
    seconds, speaking, heard = piece
    right = sum((true, said) in pairs for true in speaking for said in heard)
    return Errors(
        total=seconds * len(speaking),
        missed=seconds * max(0, len(speaking) - len(heard)),
        false_alarm=seconds * max(0, len(heard) - len(speaking)),
        confusion=seconds * (min(len(speaking), len(heard)) - right),
    )
