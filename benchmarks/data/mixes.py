"""Labelled conversations from utterances: `python -m benchmarks.data.mixes UTTERANCES OUT SPLIT COUNT [CONDITION]`.

Clean utterances (`SPEAKER-CHAPTER-NUMBER.flac`, 16 kHz) are cut at their pauses into turns of two to ten people, with
one level per person, gaps and overlaps. SPLIT is `tuning` (half of the people), `validation` (a quarter) or `test` (a
quarter); nobody is in two splits. CONDITION is a name of conditions.py. Everything is deterministic: the seed of a
conversation is its number.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from benchmarks.data.audio import read_audio
from benchmarks.data.conditions import CLEAN, CONDITIONS, Condition
from benchmarks.data.speech import Spans, speech_of
from benchmarks.data.voices import raised, similar_voices
from parley_core.turns import Turn, to_rttm

Waveform = NDArray[np.float32]
Part = tuple[Waveform, Spans]  # of one person: samples, and the spans of speech in them

RATE = 16_000
MIN_PAUSE = int(0.45 * RATE)  # samples: a turn may end at a longer pause
PADDING = int(0.02 * RATE)  # samples before and after a part
OVERLAPPING = 0.15  # of the changes of speaker
LEVEL = 0.08  # root mean square of a part at 0 dB
UTTERANCES = 2  # maximum per person, so that nobody speaks much more than others
LONG_TURN = 3 * RATE  # samples: in shorter ones nobody says a word in between
WORD = (0.25, 0.7)  # seconds of a backchannel
BACKCHANNEL_LEVEL = 0.7  # of the person's level


@dataclass(frozen=True, slots=True)
class Split:
    """A share of the people.

    Attributes:
        quarters: people are dealt in order of their names; these are the remainders of division by four.
        seed: part of the seeds of its mixes. Not the name of the split: the published figures belong to these mixes.
    """

    quarters: tuple[int, ...]
    seed: str


SPLITS = {
    "tuning": Split((0, 2), "choose"),
    "validation": Split((1,), "held-out"),
    "test": Split((3,), "sealed"),
}


@dataclass(frozen=True, slots=True)
class Placed:
    """A sound of one person in a conversation.

    Attributes:
        person: who speaks.
        start: first sample in the conversation.
        sound: samples, at the person's level.
        speech: spans of speech in `sound`.
    """

    person: str
    start: int
    sound: Waveform
    speech: Spans

    @property
    def end(self) -> int:
        """The sample after the last one."""
        return self.start + len(self.sound)

    def turns(self) -> list[Turn]:
        """The turns of its spans of speech."""
        return [Turn((self.start + begin) / RATE, (self.start + end) / RATE, self.person) for begin, end in self.speech]


def write_mixes(utterances: Path, folder: Path, split: str, count: int, condition: Condition = CLEAN) -> None:
    """Write `NAME.flac` and `NAME.rttm` of a number of conversations of the people of one split."""
    folder.mkdir(parents=True, exist_ok=True)
    people = speakers(utterances, split)
    fewest, most = condition.people
    for seed in range(count):
        number = fewest + seed % (most - fewest + 1)
        name = f"{split}-{condition.name}-{seed:03d}-{number:02d}"
        source = random.Random(f"{SPLITS[split].seed}{condition.name}{seed}")
        able = people if condition.voices == "any" else similar_voices(utterances, people, condition.voices, source)
        chosen = source.sample(able, number)
        crowd = source.sample([person for person in people if person not in chosen], condition.crowd)
        waveform, turns = mix(utterances, chosen, seed, condition, crowd)
        soundfile.write(folder / f"{name}.flac", waveform, RATE)
        (folder / f"{name}.rttm").write_text(to_rttm(turns, name))


def speakers(utterances: Path, split: str) -> list[str]:
    """Return the people of a split."""
    people = sorted({path.name.partition("-")[0] for path in utterances.glob("*.flac")})
    return [person for place, person in enumerate(people) if place % 4 in SPLITS[split].quarters]


def mix(
    utterances: Path, people: Sequence[str], seed: int, condition: Condition = CLEAN, crowd: Sequence[str] = ()
) -> tuple[Waveform, list[Turn]]:
    """Return one conversation of these people, and its turns; the crowd of the condition talks beside them."""
    source = random.Random(seed)
    placed = list(_conversation(utterances, people, condition, source))
    placed += _backchannels(placed, condition, source)
    tracks = tracks_of(placed)
    talk = [read_audio(min(utterances.glob(f"{person}-*.flac"))) for person in crowd]
    tracks += [np.resize(sound, len(tracks[0])) for sound in talk]
    turns = sorted((turn for one in placed for turn in one.turns()), key=lambda turn: turn.start)
    return condition.record(tracks, np.random.default_rng(seed)), turns


def _conversation(
    utterances: Path, people: Sequence[str], condition: Condition, source: random.Random
) -> Iterator[Placed]:
    """Yield the turns of these people, one after the other."""
    gains = {person: condition.gain(source) for person in people}
    decks = {person: _deck(utterances, person, condition, source) for person in people}
    cursor = int(condition.lead * RATE)
    for person, (sound, speech), follows in _dealt(decks, source):
        level = float(np.sqrt(np.mean(sound**2))) + 1e-9
        placed = Placed(person, max(0, cursor + _gap(source, follows)), sound * (gains[person] * LEVEL / level), speech)
        yield placed
        cursor = max(cursor, placed.end)


def _backchannels(turns: Sequence[Placed], condition: Condition, source: random.Random) -> Iterator[Placed]:
    """Yield words of other people inside long turns."""
    for turn in turns:
        others = [one for one in turns if one.person != turn.person]
        if not condition.backchannels or not others or len(turn.sound) < LONG_TURN:
            continue
        if source.random() < condition.backchannels:
            said = source.choice(others)
            begin, end = source.choice(said.speech)
            length = min(end - begin, int(source.uniform(*WORD) * RATE))
            start = turn.start + source.randrange(RATE // 2, len(turn.sound) - RATE // 2 - length)
            word = BACKCHANNEL_LEVEL * said.sound[begin : begin + length]
            yield Placed(said.person, start, word, [(0, length)])


def parts_of(sound: Waveform, speech: Spans) -> Iterator[Part]:
    """Cut an utterance at its long pauses; each part keeps some silence around it."""
    pauses = (n for n, (before, after) in enumerate(pairwise(speech), 1) if after[0] - before[1] > MIN_PAUSE)
    for first, last in pairwise([0, *pauses, len(speech)]):
        if first < last:
            start = max(0, speech[first][0] - PADDING)
            end = min(len(sound), speech[last - 1][1] + PADDING)
            yield sound[start:end], [(begin - start, stop - start) for begin, stop in speech[first:last]]


def _deck(utterances: Path, person: str, condition: Condition, source: random.Random) -> list[Part]:
    """Return a person's parts, shuffled."""
    lowest, highest = condition.raised
    factor = source.uniform(lowest, highest) if highest > 1 else 1.0
    deck: list[Part] = []
    for path in sorted(utterances.glob(f"{person}-*.flac"))[:UTTERANCES]:
        sound = read_audio(path)
        speech = speech_of(path.stem, sound)
        deck += parts_of(raised(sound, factor) if factor > 1 else sound, speech)
    source.shuffle(deck)
    return deck


def _dealt(decks: dict[str, list[Part]], source: random.Random) -> Iterator[tuple[str, Part, bool]]:
    """Yield parts until the decks are empty: mostly of the person with most parts left, changing people if possible.

    The last item says whether another person spoke before.
    """
    last: str | None = None
    while any(decks.values()):
        left = [person for person, deck in decks.items() if deck]
        options = [person for person in left if person != last] or left
        person = max(options, key=lambda name: len(decks[name]) + source.random() * 4)
        yield person, decks[person].pop(), last not in (None, person)
        last = person


def _gap(source: random.Random, follows: bool) -> int:
    """Return samples between two turns, negative for an overlap."""
    overlaps = follows and source.random() < OVERLAPPING
    return -int(RATE * source.uniform(0.2, 1.2)) if overlaps else int(RATE * source.uniform(0.1, 1.0))


def tracks_of(placed: Sequence[Placed]) -> list[Waveform]:
    """Return one track per person, half a second longer than the conversation."""
    samples = max(one.end for one in placed) + RATE // 2
    tracks: dict[str, Waveform] = {}
    for one in placed:
        track = tracks.setdefault(one.person, np.zeros(samples, np.float32))
        track[one.start : one.end] += one.sound
    return list(tracks.values())


def main(utterances: str, folder: str, split: str, count: str, condition: str = CLEAN.name) -> None:
    """Write the mixes that the command line asks for."""
    write_mixes(Path(utterances), Path(folder), split, int(count), CONDITIONS[condition])


if __name__ == "__main__":
    main(*sys.argv[1:])
