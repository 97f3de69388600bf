"""Words with their speakers, and the utterances that they form."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from parley_core.transcript import Word
from parley_core.turns import Turn

if TYPE_CHECKING:
    from parley_api.transcripts.attribution import Attribution

PAUSE = 1000  # milliseconds between two words that end an utterance
LONG = 10_000  # milliseconds after which the end of a sentence ends an utterance: a few lines of subtitles


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A word, unchanged, with its speaker.

    Attributes:
        word: as the recogniser wrote it.
        speaker: label; None if nobody speaks in the recording.
        confidence: 0 to 1.
    """

    word: Word
    speaker: str | None
    confidence: float


@dataclass(frozen=True, slots=True)
class Utterance:
    """Consecutive words of one speaker without a long pause.

    Attributes:
        first: index of its first word.
        words: of the utterance.
    """

    first: int
    words: tuple[SpokenWord, ...]

    @property
    def speaker(self) -> str | None:
        """Label of the speaker of all words."""
        return self.words[0].speaker

    @property
    def start(self) -> int:
        """Milliseconds from the beginning of the recording."""
        return min(one.word.start for one in self.words)

    @property
    def end(self) -> int:
        """Milliseconds; greater than start, also where the recogniser gave no length."""
        return max(self.start + 1, *(one.word.end for one in self.words))

    @property
    def text(self) -> str:
        """The words, with blanks between them."""
        return " ".join(one.word.text for one in self.words)

    @property
    def confidence(self) -> float:
        """Mean of the words' confidences."""
        return round(sum(one.confidence for one in self.words) / len(self.words), 3)


def spoken(words: Sequence[Word], attribution: Attribution) -> tuple[SpokenWord, ...]:
    """Return the words with their speakers."""
    joined = zip(words, attribution.speakers, attribution.confidence, strict=True)
    return tuple(SpokenWord(word, speaker, confidence) for word, speaker, confidence in joined)


def utterances(words: Sequence[SpokenWord]) -> Iterator[Utterance]:
    """Yield the utterances, in the order of the words. Each word is in one of them."""
    first = 0
    for end in _ends(words):
        yield Utterance(first, tuple(words[first:end]))
        first = end


def texts_of(turns: Sequence[Turn], words: Iterable[SpokenWord]) -> list[str]:
    """Return the text of each turn: each word is in that turn of its speaker that is nearest to its middle."""
    said: list[list[str]] = [[] for _ in turns]
    by_speaker: dict[str, list[int]] = {}
    for place, turn in enumerate(turns):
        by_speaker.setdefault(turn.speaker, []).append(place)
    starts = {speaker: [turns[place].start for place in places] for speaker, places in by_speaker.items()}
    for one in words:
        if one.speaker in by_speaker:
            middle = (one.word.start + one.word.end) / 2000
            after = bisect_right(starts[one.speaker], middle)
            near = by_speaker[one.speaker][max(0, after - 1) : after + 1]
            distances = {place: max(turns[place].start - middle, middle - turns[place].end, 0.0) for place in near}
            said[min(near, key=distances.__getitem__)].append(one.word.text)
    return [" ".join(texts) for texts in said]


def _ends(words: Sequence[SpokenWord]) -> Iterable[int]:
    """Yield the index after the last word of each utterance."""
    began = words[0].word.start if words else 0
    for place, (before, after) in enumerate(pairwise(words), 1):
        pause = after.word.start - before.word.end
        long = before.word.ends_sentence and before.word.end - began >= LONG
        if after.speaker != before.speaker or pause >= PAUSE or long:
            yield place
            began = after.word.start
    if words:
        yield len(words)
