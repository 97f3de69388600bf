"""Decides the rest again by voice after an answer, and finds the question whose answer would change most."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from parley_api.corrections.voice_model import Numbers, Voiced, probabilities, same_person, scores

ROUNDS = 4  # in which turns move; the voices of the speakers change with them
MARGIN = 3.0  # of log likelihood, by which another speaker has to be better
CANDIDATES = 12  # turns that are weighed as questions
ANSWERS = 3  # to each, the most probable ones
LEAST_PROBABLE = 0.001
SAME_PROBABLE = 0.005  # from which two speakers are asked about


@dataclass(frozen=True, slots=True)
class Weighed:
    """A question: who speaks in a turn, or whether two speakers are one person.

    Attributes:
        seconds: expected length of the turns whose speaker the answer changes.
        turn: index of the turn to listen to.
        candidates: the speakers that may be right, the most probable one first. If the question is about two speakers:
            the one who may be them.
        example: turn of the other speaker, if the question is about two speakers.
    """

    seconds: float
    turn: int
    candidates: tuple[int, ...]
    example: int | None = None


def after_answer(turns: Voiced, turn: int, speaker: int) -> Voiced:
    """Return the turns after an answer, all others decided again. No turn that a person has given changes.

    Args:
        turns: before the answer.
        turn: index of the turn that was asked about.
        speaker: the answer; the number after the last speaker is somebody new.
    """
    return decided_again(turns.answered(turn, speaker))


def decided_again(turns: Voiced) -> Voiced:
    """Return the turns with the speaker whose voice fits, if people have given or confirmed a turn of that speaker."""
    known = np.isin(np.arange(turns.speakers), turns.speaker[turns.given])
    for _ in range(ROUNDS):
        found = scores(turns)[:, : turns.speakers]
        best = found.argmax(axis=1)
        better = found[turns.order, best] - found[turns.order, turns.speaker] > MARGIN
        moved = better & turns.alone & ~turns.given & known[best]
        if not moved.any():
            break
        turns = replace(turns, speaker=np.where(moved, best, turns.speaker))
    return turns


def questions(turns: Voiced) -> list[Weighed]:
    """Return the turns to ask about, the one whose answer would change most first."""
    probable = probabilities(turns)
    probable[turns.order, turns.speaker] = 0.0
    doubt = probable.sum(axis=1) * turns.seconds
    doubt[turns.given] = 0.0
    likely = [int(turn) for turn in np.argsort(-doubt, kind="stable")[:CANDIDATES] if doubt[turn] > 0]
    weighed = [_weighed(turns, turn, probable[turn]) for turn in likely]
    weighed += _of_two_speakers(turns)
    return sorted((one for one in weighed if one.seconds > 0), key=lambda one: -one.seconds)


def examples(turns: Voiced, without: int | None = None) -> dict[int, int]:
    """Return the turn by which a listener knows each speaker: given by a person if there is one, typical, and long.

    Speakers without a turn that they speak alone are left out.
    """
    sums, _, _ = turns.sums()
    typical = (turns.vectors * sums[turns.speaker]).sum(axis=1) * np.minimum(turns.seconds, 5.0)
    best: dict[int, int] = {}
    for turn in np.lexsort((-typical, ~turns.given)).tolist():
        if turn != without and turns.alone[turn]:
            best.setdefault(int(turns.speaker[turn]), turn)
    return best


def _weighed(turns: Voiced, turn: int, others: Numbers) -> Weighed:
    """Return the question who speaks in a turn, given the probability of each speaker but the present one."""
    ranked = np.argsort(-others, kind="stable").tolist()
    seconds = 0.0
    for speaker in [one for one in ranked[:ANSWERS] if others[one] >= LEAST_PROBABLE]:
        changed = after_answer(turns, turn, speaker).speaker != turns.speaker
        seconds += float(others[speaker] * turns.seconds[changed].sum())
    own = int(turns.speaker[turn])
    known = [speaker for speaker in ranked if speaker < turns.speakers and speaker != own]
    return Weighed(seconds, turn, (own, *known))


def _of_two_speakers(turns: Voiced) -> list[Weighed]:
    """Return the questions whether two speakers are one person; the one with less speech may be the other."""
    probable = same_person(turns)
    spoken = np.bincount(turns.speaker, turns.seconds, turns.speakers)
    example = examples(turns)
    found = []
    for pair in np.argwhere(np.triu(probable) >= SAME_PROBABLE).tolist():
        less, more = sorted(pair, key=lambda speaker: (spoken[speaker], speaker))
        seconds = float(probable[less, more] * spoken[less])
        found.append(Weighed(seconds, example[less], (more,), example[more]))
    return found
