"""Evidence for turns: where an engine has none, and where people have corrected its turns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from parley_core.frame_evidence import FrameEvidence
from parley_core.turns import Turn

TURN_HOP = 0.05  # seconds of a frame that stands for turns, where an engine has no evidence
HEARD = 255  # level of a speaker who talks for certain


def evidence_of_turns(turns: Sequence[Turn], speakers: Sequence[str], seconds: float) -> FrameEvidence:
    """Return turns as evidence, for results whose engine has none."""
    empty = FrameEvidence(tuple(speakers), TURN_HOP / 2, TURN_HOP, b"")
    active = _active(empty, turns, tuple(speakers), int(seconds / TURN_HOP) + 1)
    return FrameEvidence(empty.speakers, empty.first, empty.hop, (active * np.uint8(HEARD)).tobytes())


def as_shown(
    evidence: FrameEvidence, engine: Sequence[Turn], shown: Sequence[Turn], speakers: Sequence[str]
) -> tuple[FrameEvidence, NDArray[np.bool_]]:
    """Return evidence that follows the turns that people see, and the frames of the turns that they have given.

    Where turns are others than the engine's, they are the evidence: a merged speaker's words go to the speaker that is
    left, and the words of a turn follow it to its new speaker. Elsewhere the engine's evidence stays.

    Args:
        evidence: of the engine.
        engine: its turns.
        shown: the turns as corrected.
        speakers: labels of the corrected turns.
    """
    labels = tuple(dict.fromkeys((*speakers, *evidence.speakers)))
    found = np.frombuffer(evidence.levels, np.uint8).reshape(-1, max(1, len(evidence.speakers)))
    levels = np.zeros((len(found), len(labels)), np.uint8)
    for column, label in enumerate(evidence.speakers):
        levels[:, labels.index(label)] = found[:, column]
    before, after = (_active(evidence, turns, labels, len(levels)) for turns in (engine, shown))
    changed = (before != after).any(axis=1)
    levels[changed] = after[changed] * np.uint8(HEARD)
    kept = np.ascontiguousarray(levels[:, : len(speakers)])
    seen = {(turn.start, turn.end, turn.speaker) for turn in engine}
    given = [turn for turn in shown if (turn.start, turn.end, turn.speaker) not in seen]
    frames = np.asarray(_active(evidence, given, labels, len(levels)).any(axis=1))
    return FrameEvidence(labels[: len(speakers)], evidence.first, evidence.hop, kept.tobytes()), frames


def _active(grid: FrameEvidence, turns: Sequence[Turn], labels: Sequence[str], frames: int) -> NDArray[np.bool_]:
    """Return in which frames each speaker has a turn, shape (frames, speakers); every turn has one frame at least."""
    active = np.zeros((frames, len(labels)), np.bool_)
    columns = {label: column for column, label in enumerate(labels)}
    for turn in turns:
        start, end = (round((edge - grid.first) / grid.hop + 0.5) for edge in (turn.start, turn.end))
        if turn.speaker in columns:
            active[max(0, start) : max(end, start + 1), columns[turn.speaker]] = True
    return active
