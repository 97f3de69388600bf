"""Errors of whole speakers: two people under one label, and a label too many."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.scoring.der import speaker_mapping
from parley_core.turns import Turn

MERGED_SHARE = 0.2  # of a person's speech under the label of somebody else who is silent: two people share the label
MOST = 0.5  # of a turn
RESOLUTION = 0.01  # seconds


def shared_labels(reference: Sequence[Turn], found: Sequence[Turn]) -> dict[str, float]:
    """Return the labels of the result that two people share, with the seconds of those who do not own it.

    A label belongs to the person who speaks most under it. Somebody else shares it if MERGED_SHARE of their speech is
    under it while its owner is silent.
    """
    people, labels = _names(reference), _names(found)
    length = max((turn.end for turn in (*reference, *found)), default=0.0)
    spoken, labelled = _activity(reference, people, length), _activity(found, labels, length)
    shared = {}
    for label, active in zip(labels, labelled, strict=True):
        together = (spoken & active).sum(axis=1)
        if not together.any():
            continue
        others = (spoken & active & ~spoken[together.argmax()]).sum(axis=1)
        sharing = others >= MERGED_SHARE * spoken.sum(axis=1)
        if sharing.any():
            shared[label] = float(others[sharing].sum() * RESOLUTION)
    return shared


def foreign_turns(reference: Sequence[Turn], found: Sequence[Turn]) -> list[bool]:
    """Return for each turn of the result whether somebody else speaks most of it while the label's owner is silent."""
    people, labels = _names(reference), _names(found)
    length = max((turn.end for turn in (*reference, *found)), default=0.0)
    spoken, labelled = _activity(reference, people, length), _activity(found, labels, length)
    owner = dict(zip(labels, (labelled.astype(np.int64) @ spoken.T.astype(np.int64)).argmax(axis=1), strict=True))
    foreign = []
    for turn in found:
        part = spoken[:, round(turn.start / RESOLUTION) : round(turn.end / RESOLUTION)]
        others = part.any(axis=0) & ~part[owner[turn.speaker]]
        foreign.append(bool(others.mean() > MOST) if others.size else False)
    return foreign


def surplus_labels(reference: Sequence[Turn], found: Sequence[Turn]) -> set[str]:
    """Return the labels of the result that are nobody's, or a second one of a person."""
    return set(_names(found)) - set(speaker_mapping(reference, found))


def _names(turns: Sequence[Turn]) -> list[str]:
    return sorted({turn.speaker for turn in turns})


def _activity(turns: Sequence[Turn], names: Sequence[str], length: float) -> NDArray[np.bool_]:
    """Return who speaks, shape (names, moments)."""
    active = np.zeros((len(names), round(length / RESOLUTION) + 1), np.bool_)
    for turn in turns:
        active[names.index(turn.speaker), round(turn.start / RESOLUTION) : round(turn.end / RESOLUTION)] = True
    return active
