"""Whose voice a turn has: a model of the voices of one recording.

The vector of a turn is that of its speaker plus noise, which falls with the length of the turn; both are normal
(a two-covariance model: Brümmer and de Villiers, 2010, with one variance for all directions). So a speaker of one turn
is known less than a speaker of fifty, and somebody new is a speaker of no turn. The numbers below were chosen on the
tuning split by `python -m benchmarks.reviewer`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Labels = NDArray[np.int64]
Flags = NDArray[np.bool_]

DEGREES = 40.0  # independent directions of a voice, of 192
SPEAKER_VARIANCE = 0.62  # of the vector of a speaker
NOISE, NOISE_OF_A_SECOND = 0.18, 0.6  # of the vector of a turn: the part that stays, and the one that falls with length
SHORTEST = 0.3  # seconds; a shorter turn has no more noise than this one
GIVEN_WEIGHT = 3.0  # of a turn that a person has given, in the voice of its speaker
SILENT = 1e6  # noise of a turn without a vector
TRUST = 0.5  # in the engine's confidence: most of it comes from the same voices
SURE = 0.98  # confidence of the engine that counts at most
NEW_SPEAKER = -1.0  # log prior of a turn that it is somebody else's
ALIKE, STEEP = 0.62, 14.0  # cosine similarity of two speakers who may be one person, and how fast the doubt rises
AT_ONCE = 0.5  # share of a turn through which another turn has to last, for its speaker not to be that of both
NEVER = -1e9


@dataclass(frozen=True, slots=True)
class Voiced:
    """The turns of a result that have a voice, and who speaks in them at present.

    Attributes:
        vectors: shape (turns, dimensions).
        noise: variance of each vector around that of its speaker, shape (turns,).
        alone: whether the vector is that of the speaker alone, shape (turns,). Others are those of two voices: they
            say which turn to ask about, and nothing else.
        seconds: length of each turn, shape (turns,).
        confidence: of the engine in the speaker that it found, shape (turns,).
        found: that speaker, shape (turns,).
        speaker: at present, shape (turns,).
        given: whether a person gave or confirmed the speaker, shape (turns,).
        speakers: number of speakers.
        at_once: pairs of turns that two people speak, since the second one lasts through most of the first one.
    """

    vectors: Numbers
    noise: Numbers
    alone: Flags
    seconds: Numbers
    confidence: Numbers
    found: Labels
    speaker: Labels
    given: Flags
    speakers: int
    at_once: tuple[Labels, Labels]

    @property
    def order(self) -> Labels:
        """Index of each turn."""
        return np.arange(len(self.vectors))

    def answered(self, turn: int, speaker: int) -> Voiced:
        """Return the turns after a person gave one to a speaker; the number after the last one is a new speaker."""
        labels, given = self.speaker.copy(), self.given.copy()
        labels[turn], given[turn] = speaker, True
        return replace(self, speaker=labels, given=given, speakers=max(self.speakers, speaker + 1))

    def sums(self) -> tuple[Numbers, Numbers, Numbers]:
        """Return the weighted sum of the vectors of each speaker, its weight, and the weight of each turn."""
        weight = np.where(self.given, GIVEN_WEIGHT, 1.0) / np.where(self.alone, self.noise, SILENT)
        member = np.zeros((self.speakers, len(self.vectors)))
        member[self.speaker, self.order] = weight
        return member @ self.vectors, member.sum(axis=1), weight


def noise_of(speech: Numbers) -> Numbers:
    """Return the variance of the vectors of turns, given their seconds of speech; those without any say nothing."""
    found = NOISE + NOISE_OF_A_SECOND / np.maximum(speech, SHORTEST)
    return np.asarray(np.where(speech > 0, found, SILENT))


def at_once(start: Numbers, end: Numbers) -> tuple[Labels, Labels]:
    """Return pairs of turns of which the second one lasts through most of the first one. Turns come by start."""
    following = np.maximum(0, np.searchsorted(start, end) - np.arange(len(start)) - 1)
    earlier = np.repeat(np.arange(len(start)), following)
    later = earlier + 1 + np.arange(len(earlier)) - np.repeat(np.cumsum(following) - following, following)
    shared = np.tile(np.minimum(end[earlier], end[later]) - start[later], 2)
    one, other = np.concatenate([earlier, later]), np.concatenate([later, earlier])
    most = shared > AT_ONCE * (end - start)[one]
    return one[most], other[most]


def scores(turns: Voiced) -> Numbers:
    """Return the log likelihood of each speaker for each turn, with what the engine knew.

    A turn takes no part in the voice of its own speaker, and nobody speaks two turns at once.

    Returns:
        Shape (turns, speakers + 1); the last column is somebody new.
    """
    sums, weights, weight = turns.sums()
    precision = weights + 1 / SPEAKER_VARIANCE
    means = sums / precision[:, None]
    length = (turns.vectors**2).sum(axis=1)
    distance = length[:, None] - 2 * turns.vectors @ means.T + (means**2).sum(axis=1)
    found = _likelihood(distance, 1 / precision[None] + turns.noise[:, None])
    found[:, weights == 0] = NEVER
    own = turns.speaker
    rest = np.maximum(precision[own] - weight, 1 / SPEAKER_VARIANCE)
    mean = (sums[own] - turns.vectors * weight[:, None]) / rest[:, None]
    found[turns.order, own] = _likelihood(((turns.vectors - mean) ** 2).sum(axis=1), 1 / rest + turns.noise)
    one, other = turns.at_once
    two = own[one] != own[other]
    found[one[two], own[other[two]]] = NEVER
    new = _likelihood(length, SPEAKER_VARIANCE + turns.noise) + NEW_SPEAKER
    return np.concatenate([found, new[:, None]], axis=1) + _prior(turns)


def probabilities(turns: Voiced) -> Numbers:
    """Return the probability of each speaker for each turn, shape (turns, speakers + 1): the last is somebody new."""
    found = scores(turns)
    odds = np.exp(found - found.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def same_person(turns: Voiced) -> Numbers:
    """Return how probable it is that two speakers are one person, shape (speakers, speakers)."""
    sums, _, _ = turns.sums()
    unit = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
    probable = 1 / (1 + np.exp(-STEEP * (unit @ unit.T - ALIKE)))
    known = np.isin(np.arange(turns.speakers), turns.speaker[turns.given])
    probable[np.ix_(known, known)] = 0.0  # a person has told them apart
    unheard = ~np.isin(np.arange(turns.speakers), turns.speaker[turns.alone])
    probable[unheard] = probable[:, unheard] = 0.0
    np.fill_diagonal(probable, 0.0)
    return np.asarray(probable)


def _likelihood(distance: Numbers, variance: Numbers) -> Numbers:
    return np.asarray(-DEGREES / 2 * (np.log(variance) + distance / variance))


def _prior(turns: Voiced) -> Numbers:
    """Return what the engine's confidence says, shape (turns, speakers + 1)."""
    confidence = turns.confidence.clip(1 - SURE, SURE)
    others = max(1, len(np.unique(turns.speaker)) - 1)
    prior = np.repeat(np.log((1 - confidence) / others)[:, None], turns.speakers + 1, axis=1)
    prior[turns.order, turns.found] = np.log(confidence)
    return TRUST * prior
