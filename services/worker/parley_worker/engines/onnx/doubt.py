"""How sure the engine is of its speakers: whether each is one person, and a person of their own.

Two logistic regressions on numbers of the clustering, the turns, the windows and the frames.
`python -m benchmarks.tuning.doubt` fits their weights on speakers of the tuning split under all conditions;
docs/evaluation.md says what they find and how often they are wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from parley_core.job import SpeakerBounds
from parley_worker.engines.onnx.assignment import embedding_frame
from parley_worker.engines.onnx.clustering import Numbers
from parley_worker.engines.onnx.decision import Decision
from parley_worker.engines.onnx.embedding import EMBEDDING_HOP
from parley_worker.engines.onnx.frames import FrameSegment, frame_segments
from parley_worker.engines.onnx.grid import FRAME_HOP, SAMPLE_RATE
from parley_worker.engines.onnx.trunk import FRAMES_PER_SECOND, Floats, unit
from parley_worker.engines.result import SpeakerDoubts

EVIDENCE = ("log_seconds", "joined", "apart", "stray", "spread", "odd", "crowded")
OF_TURN = ("likeness", "log_seconds", "log_seconds_of_others")
LEAST_SECONDS = 0.3  # of a speaker in the logarithm
STRAY = 0.25  # below the speaker's median similarity, a frame may be of somebody else
LONGEST_STRAY = 2.0  # seconds; a longer run says nothing more
LEAST_FRAMES = 5  # embedding frames, 0.5 s, of a turn and of the speaker's other turns, to compare them
LEAST_ODD = -6.0  # log odds; also those of a speaker without two turns to compare
LEAST_LOCAL = 0.3  # seconds alone of a local speaker who counts


@dataclass(frozen=True, slots=True)
class Regression:
    """A logistic regression.

    Attributes:
        offset: log odds without evidence.
        weights: log odds per unit of each number of EVIDENCE.
        bound: probability from which a person should check the speaker.
    """

    offset: float
    weights: tuple[float, ...]
    bound: float

    def log_odds(self, evidence: Numbers) -> Numbers:
        """Return the log odds from evidence of shape (speakers, numbers), shape (speakers,)."""
        return np.asarray(self.offset + evidence @ np.array(self.weights))

    def probability(self, evidence: Numbers) -> Numbers:
        """Return the probability from evidence of shape (speakers, numbers), shape (speakers,)."""
        return np.asarray(1 / (1 + np.exp(-self.log_odds(evidence))))


ODD = Regression(1.9831, (-9.8918, -0.5634, 0.4168), 1.0)  # for a turn; its bound is not used
SEVERAL = Regression(-2.257, (0.0, 30.6906, 0.0, 1.4216, 6.9247, 0.4016, 4.3536), 0.283)
SURPLUS = Regression(4.4488, (-1.9783, 0.0, -8.9866, 0.0, 0.0, 0.0, 0.0), 0.041)
"""Fitted on 1,100 speakers of 337 recordings, of whom 43 share their label and 19 are surplus; ODD on 3,835 turns."""
PURITY_BOUND = 1 - SEVERAL.bound


def doubts(decision: Decision, bounds: SpeakerBounds) -> SpeakerDoubts:
    """Return the doubts about the speakers of a decision.

    Args:
        decision: of the engine.
        bounds: of the number of speakers, as requested.
    """
    evidence = speaker_evidence(decision)
    several, surplus = SEVERAL.probability(evidence), SURPLUS.probability(evidence)
    return SpeakerDoubts(
        purity=dict(enumerate((1 - several).tolist())),
        several=set(np.flatnonzero(several > SEVERAL.bound).tolist()),
        doubtful=set(np.flatnonzero(surplus > SURPLUS.bound).tolist()),
        bounds=bounds,
    )


def speaker_evidence(decision: Decision) -> Numbers:
    """Return the evidence for each speaker, in the order of EVIDENCE, shape (speakers, numbers).

    - log_seconds: logarithm of the speaker's seconds without overlap.
    - joined: greatest distance at which the clustering merged two long parts of the speaker.
    - apart: distance to the nearest other speaker.
    - stray: length of the longest run of frames, in seconds, that are far less similar to the speaker than usual.
    - spread: standard deviation of the similarity of the speaker's frames.
    - odd: log odds that the turn least like the speaker's other turns is somebody else's.
    - crowded: 1 if a window hears more people than were found, and two of them are this speaker; else 0.
    """
    found = decision.found
    frames = np.array([_of_frames(own[~np.isnan(own)]) for own in decision.similarity_alone()])
    seconds = np.log(np.maximum(found.seconds, LEAST_SECONDS))
    return np.column_stack([seconds, found.joined, found.apart, frames, _oddest(decision), _crowded(decision)])


def _of_frames(similarity: Floats) -> tuple[float, float]:
    """Return `stray` and `spread` from the similarities of the frames in which a speaker is alone."""
    if not len(similarity):
        return 0.0, 0.0
    low = similarity < np.median(similarity) - STRAY
    edges = np.flatnonzero(np.diff(np.concatenate([[0], low, [0]]).astype(np.int8)))
    longest = (edges[1::2] - edges[::2]).max(initial=0) * FRAME_HOP / SAMPLE_RATE
    return min(float(longest), LONGEST_STRAY), float(similarity.std())


def turn_evidence(decision: Decision) -> tuple[list[FrameSegment], Numbers]:
    """Return the turns that can be compared with the other turns of their speaker, and the evidence for each.

    Returns:
        The turns, and in the order of OF_TURN, shape (turns, 3): cosine similarity to the speaker's other turns, and
        the logarithm of the seconds alone of this turn and of those.
    """
    turns = [turn for turn in frame_segments(decision.active) if turn.speaker < len(decision.speakers)]
    alone = decision.active.sum(axis=1) == 1
    last = len(decision.embedding_frames) - 1
    sums = np.zeros((len(turns), decision.speakers.shape[1]), np.float32)
    lengths = np.zeros(len(turns))
    for number, turn in enumerate(turns):
        moments = turn.first + np.flatnonzero(alone[turn.first : turn.end])
        frames = decision.embedding_frames[np.unique(embedding_frame(moments).clip(0, last))]
        sums[number], lengths[number] = frames.sum(axis=0, dtype=np.float32), frames.any(axis=1).sum()
    speakers = np.array([turn.speaker for turn in turns], np.int64)
    everything = np.zeros((len(decision.speakers), sums.shape[1]), np.float32)
    np.add.at(everything, speakers, sums)
    others = np.bincount(speakers, lengths, len(decision.speakers))[speakers] - lengths
    likeness = (unit(sums) * unit(everything[speakers] - sums)).sum(axis=1)
    known = (lengths >= LEAST_FRAMES) & (others >= LEAST_FRAMES)
    hop = EMBEDDING_HOP / FRAMES_PER_SECOND
    evidence = np.column_stack([likeness[known], np.log(lengths[known] * hop), np.log(others[known] * hop)])
    return [turn for turn, wanted in zip(turns, known, strict=True) if wanted], evidence


def _oddest(decision: Decision) -> Numbers:
    turns, evidence = turn_evidence(decision)
    odd = np.full(len(decision.speakers), LEAST_ODD)
    np.maximum.at(odd, [turn.speaker for turn in turns], ODD.log_odds(evidence))
    return odd


def _crowded(decision: Decision) -> Numbers:
    found = decision.active[:, : len(decision.speakers)].any(axis=0).sum()
    alone = decision.activity * (decision.activity.sum(axis=2, keepdims=True) == 1)
    local = alone.sum(axis=1) * (FRAME_HOP / SAMPLE_RATE) >= LEAST_LOCAL
    crowded = local.sum(axis=1) > found
    own = decision.nearest[..., None] == np.arange(len(decision.speakers))
    return np.asarray(((own & local[..., None]).sum(axis=1)[crowded] > 1).any(axis=0), np.float64)
