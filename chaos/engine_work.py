"""The pieces of work that an engine has begun, and which of them were computed twice."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from parley_core.job import Phase

STEPS = (Phase.SEGMENTATION, Phase.EMBEDDING)  # both cost about the same
FOLDER = "engine-work"  # beside the control file


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of work that was begun: a call of a model.

    Attributes:
        job_id: job of the recording.
        attempt: identity of the attempt.
        at: seconds since 1970.
        step: position of the step in STEPS.
        share: position in the step, 0 to 1.
    """

    job_id: str
    attempt: str
    at: float
    step: int
    share: float

    @property
    def position(self) -> float:
        """Share of the recording's engine work that lies before this piece."""
        return (self.step + self.share) / len(STEPS)


def pieces_in(folder: Path) -> list[Piece]:
    """Return all pieces of a system by its folder, in order of time."""
    lines = (line for path in (folder / FOLDER).glob("*.jsonl") for line in path.read_text().splitlines())
    return sorted((Piece(**json.loads(line)) for line in lines), key=lambda piece: piece.at)


def repeated_shares(pieces: Iterable[Piece]) -> list[float]:
    """Return, for each attempt that was broken off in the engine, the share of the work that was computed again.

    The piece that was being computed counts as a whole.
    """
    by_job: dict[str, dict[str, list[Piece]]] = defaultdict(lambda: defaultdict(list))
    for piece in pieces:
        by_job[piece.job_id][piece.attempt].append(piece)
    lengths = _lengths(attempt for attempts in by_job.values() for attempt in attempts.values())
    return [
        max(0.0, before[-1].position + lengths[before[-1].step] - after[0].position)
        for attempts in by_job.values()
        for before, after in pairwise(attempts.values())
    ]


def _lengths(attempts: Iterable[list[Piece]]) -> dict[int, float]:
    """Return the length of the longest piece of each step, as a share of the recording's engine work."""
    gaps = list(_gaps(attempts))
    return {step: max((gap for found, gap in gaps if found == step), default=0.0) for step in range(len(STEPS))}


def _gaps(attempts: Iterable[list[Piece]]) -> Iterator[tuple[int, float]]:
    for attempt in attempts:
        for before, after in pairwise(attempt):
            if before.step == after.step:
                yield before.step, after.position - before.position
