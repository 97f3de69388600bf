"""Times of phases, measured in the children of a worker and read in its main process.

Each child writes its own part of memory that all share, so nothing is locked, and a child that is killed loses no more
than the sample that it was writing. Its successor goes on in the same part.
"""

from __future__ import annotations

import mmap
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from parley_core.job import Phase

BOUNDS = (0.05, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0)  # seconds
_PHASES = tuple(Phase)
_COLUMNS = len(BOUNDS) + 2  # a bucket per bound, one for what is above, and the sum


@dataclass(frozen=True, slots=True)
class PhaseSamples:
    """The samples of one phase: counts per bucket, not cumulative, and the sum in seconds."""

    counts: tuple[int, ...]
    sum: float


class PhaseTimes:
    """Memory for the samples of all children; make it before they are forked."""

    def __init__(self, children: int) -> None:
        shape = (children, len(_PHASES), _COLUMNS)
        self._memory = mmap.mmap(-1, int(np.prod(shape)) * 8)
        self._cells = np.frombuffer(self._memory, np.float64).reshape(shape)

    def note(self, child: int, seconds: Mapping[str, float]) -> None:
        """Add one attempt's seconds by phase. Called in the child with this number, counted from 0."""
        for place, phase in enumerate(_PHASES):
            if phase.value in seconds:
                cells = self._cells[child % len(self._cells), place]
                cells[bisect_left(BOUNDS, seconds[phase.value])] += 1
                cells[-1] += seconds[phase.value]

    def samples(self) -> dict[Phase, PhaseSamples]:
        """Return the samples of all children by phase."""
        summed = self._cells.sum(axis=0)
        return {
            phase: PhaseSamples(tuple(int(count) for count in row[:-1]), float(row[-1]))
            for phase, row in zip(_PHASES, summed, strict=True)
        }
