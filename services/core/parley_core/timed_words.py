"""Words with times in seconds, as recognisers give them, and the checks on their way into a transcript.

Readers raise LookupError, TypeError, ValueError, ArithmeticError or AttributeError for JSON of another shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any

from parley_core.transcript import Word

MAX_WORDS = 100_000  # ten hours of fast talk
MAX_WORD = 500  # characters
SURROGATE = re.compile("[\ud800-\udfff]")  # JSON can hold one alone, which no encoding can
LATE_SECONDS = 10.0  # that a recogniser may go past the end; a later word belongs to another recording
LONGEST = 10 * 366 * 86_400.0  # seconds; a later word is no time of a recording

Timed = tuple[str, float | None, float | None]
"""Text, start and end of a word. A time that the recogniser does not give is None."""

Json = Any


class UnusableWordsError(ValueError):
    """Words that make no transcript. The message says why and holds no word."""


def dealt(text: str, start: float | None, end: float | None) -> Iterator[Timed]:
    """Yield the words of a passage; its time is dealt to them by their lengths."""
    parts = text.split()
    if start is None or end is None:
        yield from ((part, None, None) for part in parts)
        return
    places = list(accumulate((len(part) + 1 for part in parts), initial=0))
    pace = (end - start) / max(1, places[-1])
    for part, first, last in zip(parts, places, places[1:], strict=False):
        yield part, start + first * pace, start + last * pace


def plain(document: Json) -> Iterator[Timed]:
    """`[{"word", "start", "end"}]`, the times in seconds."""
    for word in document["words"] if isinstance(document, Mapping) else document:
        text = word["word"] if "word" in word else word["text"]
        yield text, number(word.get("start")), number(word.get("end"))


def openai(document: Json) -> Iterator[Timed]:
    """`verbose_json` of OpenAI and its kin, openai-whisper, faster-whisper, WhisperX: words, or segments alone."""
    if isinstance(document, Mapping) and document.get("words"):
        yield from plain(document["words"])
        return
    for segment in document["segments"] if isinstance(document, Mapping) else document:
        if segment.get("words"):
            yield from plain(segment["words"])
        else:
            yield from dealt(segment["text"], segment["start"], segment["end"])


def number(value: Json) -> float | None:
    """Return a time in seconds, None for none."""
    return None if value is None else float(value)


def words_from(timed: Iterable[Timed]) -> tuple[Word, ...]:
    """Return the words of a transcript. Raises UnusableWordsError."""
    return tuple(_checked(_complete(_stripped(timed))))


def _stripped(timed: Iterable[Timed]) -> Iterator[Timed]:
    """Yield words without white space around them. What has no text is no word."""
    for text, start, end in timed:
        if not isinstance(text, str):
            raise UnusableWordsError("A word of the transcript is not text.")
        if word := text.strip():
            yield word, start, end


def _complete(timed: Iterable[Timed]) -> list[tuple[str, float, float]]:
    """Return words with the times that are missing: from the end of the word before to the start of the next one."""
    known = list(timed)
    if known and all(start is None for _, start, _ in known):
        raise UnusableWordsError("The words of the transcript have no times.")
    following: float | None = None
    nexts: list[float | None] = []
    for _, start, _ in reversed(known):
        nexts.append(following)
        following = start if start is not None else following
    complete = []
    reached = 0.0
    for (text, start, end), after in zip(known, reversed(nexts), strict=True):
        begins = reached if start is None else start
        ends = max(begins, after if after is not None else begins) if end is None else end
        complete.append((text, begins, ends))
        reached = ends
    return complete


def _checked(words: Iterable[tuple[str, float, float]]) -> Iterator[Word]:
    for place, (text, start, end) in enumerate(words, 1):
        if place > MAX_WORDS:
            raise UnusableWordsError(f"The transcript has more than {MAX_WORDS} words.")
        try:
            sound = 0 <= start <= end <= LONGEST
        except TypeError:
            sound = False
        if not sound:
            raise UnusableWordsError(
                f"Word {place} has no valid times: numbers from 0, and the end not before the start."
            )
        if len(text) > MAX_WORD or SURROGATE.search(text):
            raise UnusableWordsError(f"Word {place} is longer than {MAX_WORD} characters, or is no valid text.")
        yield Word(text, round(start * 1000), round(end * 1000))
