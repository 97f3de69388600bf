"""How sure the engine is of its speakers: whether each is one person, and a person of their own.

Two logistic regressions on numbers of the clustering and of the frames. `python -m benchmarks.tuning.doubt` fits their
weights on speakers of the tuning split under all conditions; docs/evaluation.md says what they find and how often they
are wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from parley_core.job import SpeakerBounds
from parley_worker.engines.onnx.clustering import Numbers
from parley_worker.engines.onnx.decision import Decision
from parley_worker.engines.onnx.grid import FRAME_HOP, SAMPLE_RATE
from parley_worker.engines.onnx.trunk import Floats
from parley_worker.engines.result import SpeakerDoubts

EVIDENCE = ("log_seconds", "joined", "apart", "stray", "spread")
LEAST_SECONDS = 0.3  # of a speaker in the logarithm
STRAY = 0.25  # below the speaker's median similarity, a frame may be of somebody else
LONGEST_STRAY = 2.0  # seconds; a longer run says nothing more


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

    def probability(self, evidence: Numbers) -> Numbers:
        """Return the probability from evidence of shape (speakers, numbers), shape (speakers,)."""
        return np.asarray(1 / (1 + np.exp(-self.offset - evidence @ np.array(self.weights))))


SEVERAL = Regression(-4.364, (0.0, 33.3459, 0.0, 3.1197, 10.0943), 0.352)
SURPLUS = Regression(4.2525, (-2.0587, 0.0, -8.1024, 0.0, 0.0), 0.069)
"""Fitted on 1,100 speakers of 337 recordings, of whom 43 share their label and 20 are surplus."""
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
    """
    found = decision.found
    frames = np.array([_of_frames(own[~np.isnan(own)]) for own in decision.similarity_alone()])
    seconds = np.log(np.maximum(found.seconds, LEAST_SECONDS))
    return np.column_stack([seconds, found.joined, found.apart, frames])


def _of_frames(similarity: Floats) -> tuple[float, float]:
    """Return `stray` and `spread` from the similarities of the frames in which a speaker is alone."""
    if not len(similarity):
        return 0.0, 0.0
    low = similarity < np.median(similarity) - STRAY
    edges = np.flatnonzero(np.diff(np.concatenate([[0], low, [0]]).astype(np.int8)))
    longest = (edges[1::2] - edges[::2]).max(initial=0) * FRAME_HOP / SAMPLE_RATE
    return min(float(longest), LONGEST_STRAY), float(similarity.std())
