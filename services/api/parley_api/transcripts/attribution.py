"""Who said each word: the sequence of speakers that the engine's evidence and the shape of the talk make most likely.

Each word has evidence for each speaker: how strongly the engine hears the speaker during the word. Where one speaker is
heard alone, in the word and in its neighbours, the word is the speaker's. All other words are decided together with
their neighbours, stretch by stretch (`decoding`), since the times of recognisers are off and people talk at once.

`python -m benchmarks.words` measures it against the rule that gives each word to the turn it overlaps most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parley_api.transcripts.decoding import decode
from parley_api.transcripts.traits import traits_of
from parley_core.frame_evidence import FrameEvidence
from parley_core.transcript import Word

REACH = 0.1  # seconds that are looked at on either side of a word, as times are off
HEARD_ALONE = 0.75  # level of a speaker who is heard,
QUIET = 0.08  # while no other speaker has more than this
FLOOR = 0.02  # of levels, for the confidence

Levels = NDArray[np.float64]  # 0 to 1, shape (words, speakers)


@dataclass(frozen=True, slots=True)
class Attribution:
    """The speaker of each word.

    Attributes:
        speakers: label per word; None if nobody speaks in the recording.
        confidence: per word, 0 to 1: the speaker's share of the evidence.
    """

    speakers: tuple[str | None, ...]
    confidence: tuple[float, ...]


def attribute(words: Sequence[Word], evidence: FrameEvidence, given: NDArray[np.bool_] | None = None) -> Attribution:
    """Return the speaker of each word.

    Args:
        words: in the recogniser's order.
        evidence: of the engine, as people have corrected it.
        given: frames of turns that people have given, shape (frames,). There, a word is that of the speaker in its
            middle. None without any.
    """
    if not words or not evidence.speakers:
        return Attribution((None,) * len(words), (0.0,) * len(words))
    levels = _levels(words, evidence)
    best = levels.argmax(axis=1)
    decided = _decided(levels, best)
    if given is not None:
        _follow(words, evidence, given, best, decided)
    found = decode(levels, traits_of(words), best, decided)
    own = levels[np.arange(len(words)), found] + FLOOR
    confidence = own / (levels + FLOOR).sum(axis=1)
    return Attribution(tuple(evidence.speakers[one] for one in found), tuple(np.round(confidence, 3).tolist()))


def _levels(words: Sequence[Word], evidence: FrameEvidence) -> Levels:
    """Return the mean level of each speaker during each word and shortly before and after it."""
    levels = np.frombuffer(evidence.levels, np.uint8).reshape(-1, len(evidence.speakers))
    sums = np.zeros((len(levels) + 1, levels.shape[1]), np.uint32)
    np.cumsum(levels, axis=0, dtype=np.uint32, out=sums[1:])
    starts = np.array([word.start for word in words]) / 1000 - REACH
    ends = np.array([word.end for word in words]) / 1000 + REACH
    last = max(0, len(levels) - 1)
    first = np.clip(np.rint((starts - evidence.first) / evidence.hop), 0, last).astype(np.int64)
    end = np.clip(np.rint((ends - evidence.first) / evidence.hop), first + 1, len(levels)).astype(np.int64)
    return np.asarray((sums[end] - sums[first]) / (255.0 * (end - first))[:, None])


def _follow(
    words: Sequence[Word],
    evidence: FrameEvidence,
    given: NDArray[np.bool_],
    best: NDArray[np.int64],
    decided: NDArray[np.bool_],
) -> None:
    """Decide the words in whose middle people have given one speaker."""
    levels = np.frombuffer(evidence.levels, np.uint8).reshape(-1, len(evidence.speakers))
    middles = np.array([(word.start + word.end) / 2000 for word in words])
    frames = np.clip(np.rint((middles - evidence.first) / evidence.hop), 0, len(levels) - 1).astype(np.int64)
    row = levels[frames]
    sure = given[frames] & ((row >= row.max(axis=1, keepdims=True)).sum(axis=1) == 1)
    best[sure] = row[sure].argmax(axis=1)
    decided |= sure


def _decided(levels: Levels, best: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which words have one speaker who is heard alone in them and in their neighbours, shape (words,)."""
    if levels.shape[1] == 1:
        return np.ones(len(levels), np.bool_)
    ordered = np.partition(levels, -2, axis=1)
    alone = (ordered[:, -1] >= HEARD_ALONE) & (ordered[:, -2] <= QUIET)
    agrees = alone[1:] & alone[:-1] & (best[1:] == best[:-1])
    decided = alone.copy()
    decided[1:] &= agrees
    decided[:-1] &= agrees
    return np.asarray(decided)
