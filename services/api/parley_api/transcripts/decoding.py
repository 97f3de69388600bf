"""The likeliest speakers of stretches of words, by dynamic programming (Viterbi), all stretches at a time.

A stretch is a run of undecided words with the decided word before and after it. A path through a stretch is a speaker
per word. It costs the evidence against its speakers, and more where it is no natural talk: a speaker who changes
inside a sentence, a sentence that goes on with a capital letter or begins with a small one, somebody who says two words
at once, or is silent inside a sentence. Per speaker of the last word, only the cheapest path is kept.

The costs were chosen on the tuning split; `python -m benchmarks.words` has the figures of the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parley_api.transcripts.traits import Traits

FLOOR = 0.05  # level of a speaker who is not heard; bounds what one word can say
CHANGE = 3.0  # of the speaker, inside a sentence
CHANGE_AT_END = 0.1  # of a sentence
CHANGE_WITHOUT_SENTENCES = 0.5  # where the recogniser writes none
CHANGE_IN_OVERLAP = 0.1  # where both speakers are heard
PAUSE = 0.5  # seconds between words at which a change costs half
SMALL_AFTER_END = 4.0  # the speaker's sentence ended, and the word has a small letter
CAPITAL_INSIDE = 1.3  # the speaker's sentence has not ended, and the word has a capital letter
CAPITAL_LATER = 0.3  # the same, with words of others in between
TOO_EARLY = 12.0  # per second that a word begins before the speaker's last one ends, where two speakers are heard
SILENT = 0.7  # per second of silence of a speaker inside a sentence
EARLIEST, LONGEST = 0.6, 3.0  # seconds; more costs no more
IMPOSSIBLE = 50.0
NEVER = -1e6  # seconds
CANDIDATES = 3  # speakers of a stretch: those heard most in one of its words
LONGEST_STRETCH = 64  # words; bounds the steps

Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]
Costs = NDArray[np.float64]


@dataclass(slots=True)
class _Stretches:
    """Stretches, the longest first.

    Attributes:
        first, end: undecided words, shape (stretches,).
        begin, stop: with the words before and after.
        candidates: speakers, shape (stretches, candidates).
    """

    first: Indices
    end: Indices
    begin: Indices
    stop: Indices
    candidates: Indices

    @property
    def lengths(self) -> Indices:
        return self.stop - self.begin

    def running(self, step: int) -> int:
        """Return how many stretches have a word at this step."""
        return int(np.searchsorted(-self.lengths, -step, side="left"))


def decode(levels: NDArray[np.float64], traits: Traits, best: Indices, decided: Flags) -> Indices:
    """Return the speaker of each word, shape (words,).

    Args:
        levels: of each speaker in each word, 0 to 1, shape (words, speakers).
        traits: of the words.
        best: the speaker with the highest level.
        decided: words that are the best speaker's.
    """
    found = best.copy()
    if decided.all():
        return found
    stretches = _stretches(levels, decided)
    search = _Search(levels, traits, best, stretches)
    for step in range(1, int(stretches.lengths[0])):
        search.advance(step)
    for words, speakers in search.paths():
        found[words] = speakers
    return found


def _stretches(levels: NDArray[np.float64], decided: Flags) -> _Stretches:
    edges = np.flatnonzero(np.diff(np.concatenate([[True], decided, [True]]).astype(np.int8))).reshape(-1, 2)
    cut = [
        (start, min(start + LONGEST_STRETCH, end))
        for first, end in edges.tolist()
        for start in range(first, end, LONGEST_STRETCH)
    ]
    first, end = np.array(sorted(cut, key=lambda span: span[0] - span[1]), np.int64).T
    begin, stop = np.maximum(first - 1, 0), np.minimum(end + 1, len(levels))
    spans = np.stack([begin, stop], axis=1).ravel()
    highest = np.maximum.reduceat(np.concatenate([levels, levels[-1:]]), spans, axis=0)[::2]
    candidates = np.argsort(-highest, axis=1, kind="stable")[:, :CANDIDATES]
    order = np.argsort(begin - stop, kind="stable")
    return _Stretches(first[order], end[order], begin[order], stop[order], candidates[order])


class _Search:
    """The cheapest path of each stretch to each candidate."""

    def __init__(self, levels: NDArray[np.float64], traits: Traits, best: Indices, stretches: _Stretches) -> None:
        self._levels = levels
        self._traits = traits
        self._best = best
        self._stretches = stretches
        self._two = np.minimum(1, 2 * np.partition(levels, -2, axis=1)[:, -2])  # how surely two speakers are heard
        number, width = stretches.candidates.shape
        self._own = np.eye(width, dtype=np.bool_)[None]
        self._back = np.zeros((int(stretches.lengths[0]), number, width), np.int8)
        first, word = stretches.first, stretches.begin
        self._cost = self._against(word, word < first)
        # Of each path and each speaker: whether a sentence is open, and when the last word ended.
        self._open = self._own & ~traits.ends[word][:, None, None]
        self._last = np.where(self._own, traits.end[word][:, None, None], NEVER)

    def advance(self, step: int) -> None:
        """Extend the paths by one word."""
        number = self._stretches.running(step)
        word = self._stretches.begin[:number] + step
        total = self._cost[:number, :, None] + self._flow(number, word) + self._change(number, word)
        came_from = total.argmin(axis=1)
        self._back[step, :number] = came_from
        cheapest = np.take_along_axis(total, came_from[:, None, :], axis=1)[:, 0]
        self._cost[:number] = cheapest + self._against(word, word >= self._stretches.end[:number])
        opened = np.take_along_axis(self._open[:number], came_from[:, :, None], axis=1)
        last = np.take_along_axis(self._last[:number], came_from[:, :, None], axis=1)
        self._open[:number] = np.where(self._own, ~self._traits.ends[word][:, None, None], opened)
        self._last[:number] = np.where(self._own, self._traits.end[word][:, None, None], last)

    def paths(self) -> list[tuple[Indices, Indices]]:
        """Return undecided words and their speakers, step by step."""
        found = []
        chosen = self._cost.argmin(axis=1)
        for step in reversed(range(len(self._back))):
            number = self._stretches.running(step)
            word = self._stretches.begin[:number] + step
            rows = np.arange(number)
            undecided = (word >= self._stretches.first[:number]) & (word < self._stretches.end[:number])
            speakers = self._stretches.candidates[rows, chosen[:number]]
            found.append((word[undecided], speakers[undecided]))
            chosen[:number] = self._back[step, rows, chosen[:number]]
        return found

    def _against(self, word: Indices, decided: Flags) -> Costs:
        """Return the evidence against each candidate in one word per stretch, shape (stretches, candidates)."""
        candidates = self._stretches.candidates[: len(word)]
        evidence = -np.log(np.take_along_axis(self._levels[word], candidates, axis=1) + FLOOR)
        certain = np.where(candidates == self._best[word][:, None], 0.0, IMPOSSIBLE)
        return np.asarray(np.where(decided[:, None], certain, evidence))

    def _flow(self, number: int, word: Indices) -> Costs:
        """Return what the times of one word per stretch cost, by speaker before and speaker of the word."""
        since = self._traits.start[word][:, None, None] - self._last[:number]
        early = TOO_EARLY * self._two[word][:, None, None] * np.minimum(-since, EARLIEST)
        silent = np.where(self._open[:number], SILENT * np.minimum(since, LONGEST), 0.0)
        return np.asarray(np.where(since < 0, early, silent))

    def _change(self, number: int, word: Indices) -> Costs:
        """Return what the change of speaker and sentence costs, by speaker before and speaker of the word."""
        traits, opened = self._traits, self._open[:number]
        levels = np.take_along_axis(self._levels[word], self._stretches.candidates[:number], axis=1)
        pause = np.maximum(0, traits.start[word] - traits.end[word - 1])
        near = (1 / (1 + pause / PAUSE))[:, None, None]
        begins, goes_on = traits.begins[word][:, None, None], traits.goes_on[word][:, None, None]
        both = np.minimum(1, 2 * np.minimum(levels[:, None, :], levels[:, :, None]))
        at_end = CHANGE_AT_END if traits.punctuated else CHANGE_WITHOUT_SENTENCES
        change = np.where(np.einsum("nii->ni", opened)[:, :, None], CHANGE, at_end)
        changed = change * near * (1 - both) + np.minimum(change, CHANGE_IN_OVERLAP) * both
        small = goes_on * SMALL_AFTER_END
        stay = np.where(opened, begins * CAPITAL_INSIDE * near, small)
        move = changed + np.where(opened, begins * CAPITAL_LATER, small)
        return np.asarray(np.where(self._own, stay, move))
