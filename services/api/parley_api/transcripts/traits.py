"""What the words of a transcript tell about the sentences they form, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parley_core.transcript import Word

OPENING = "\"'([{¿¡«“‘-–—"  # may stand before the first letter of a word
LEAST_PUNCTUATED = 0.01  # share of words that end a sentence, below which a transcript has no sentences
LEAST_CASED = 0.5  # share of sentences that begin with a capital letter, above which capitals tell sentences

Flags = NDArray[np.bool_]
Times = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Traits:
    """Arrays of shape (words,).

    Attributes:
        start, end: seconds.
        ends: the word ends a sentence; all words do where the recogniser writes no sentences.
        begins: the word looks like the first one of a sentence: it has a capital letter, and is not "I".
        goes_on: the word cannot be the first one of a sentence: it has a small letter.
        punctuated: whether the transcript has sentences at all; one value.
    """

    start: Times
    end: Times
    ends: Flags
    begins: Flags
    goes_on: Flags
    punctuated: bool


def traits_of(words: Sequence[Word]) -> Traits:
    """Return the traits of words. Where a recogniser writes no sentences or no capitals, they tell nothing."""
    times = np.array([(word.start, word.end) for word in words]).reshape(-1, 2) / 1000
    ends = np.array([word.ends_sentence for word in words], np.bool_)
    initials = [word.text.lstrip(OPENING)[:1] for word in words]
    capital = np.array([initial.isupper() for initial in initials], np.bool_)
    small = np.array([initial.islower() for initial in initials], np.bool_)
    punctuated = bool(ends.mean() >= LEAST_PUNCTUATED)
    after_end = np.concatenate([[False], ends[:-1]])
    cased = punctuated and bool(capital[after_end].mean() >= LEAST_CASED) if after_end.any() else False
    pronoun = np.array([word.text.startswith("I") and not word.text[1:2].isalpha() for word in words], np.bool_)
    return Traits(
        times[:, 0], times[:, 1], ends | (not punctuated), capital & ~pronoun & cased, small & cased, punctuated
    )
