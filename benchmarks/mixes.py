"""Labelled conversations by code: `python -m benchmarks.mixes UTTERANCES OUT PART COUNT [CONDITION]`.

Clean utterances (`SPEAKER-CHAPTER-NUMBER.flac`, 16 kHz) are cut at their pauses and dealt out in turns, two to ten
people, one level each, with gaps and overlaps; CONDITION (clean, echo, noise, telephone, levels) says how they reach
the microphone. People are split: half are there for choosing, a quarter is held out to check what was chosen, and a
quarter (sealed) is looked at once, at the end. Everything follows from the seed, which is the conversation's number.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from benchmarks.audio import sound_in
from benchmarks.conditions import CLEAN, CONDITIONS, Condition
from benchmarks.speech import Spans, speech_in
from parley_core.turns import Turn, to_rttm

Waveform = NDArray[np.float32]
Part = tuple[Waveform, Spans]  # a stretch of one person, and where in it there is speech, in samples

RATE = 16_000
CUT = int(0.45 * RATE)  # samples: at a longer pause a turn may end
AROUND = int(0.02 * RATE)  # samples kept before and after a part
OVERLAPPING = 0.15  # of the changes of speaker
LOUD = 0.08  # root mean square of a part at the level 0 dB
UTTERANCES = 2  # of a person at most, so that nobody is heard much more than others
QUARTERS = {"choose": (0, 2), "held-out": (1,), "sealed": (3,)}  # of the people, dealt in order of their names


def write_mixes(utterances: Path, folder: Path, part: str, count: int, condition: Condition = CLEAN) -> None:
    """Write `NAME.flac` and `NAME.rttm` of so many conversations of the people of one part."""
    folder.mkdir(parents=True, exist_ok=True)
    people = speakers(utterances, part)
    for seed in range(count):
        number = 2 + seed % 9
        name = f"{part}-{condition.name}-{seed:03d}-{number:02d}"
        chosen = random.Random(f"{part}{condition.name}{seed}").sample(people, number)
        waveform, turns = mix(utterances, chosen, seed, condition)
        soundfile.write(folder / f"{name}.flac", waveform, RATE)
        (folder / f"{name}.rttm").write_text(to_rttm(turns, name))


def speakers(utterances: Path, part: str) -> list[str]:
    """Return the people of a part; nobody is in two."""
    people = sorted({path.name.partition("-")[0] for path in utterances.glob("*.flac")})
    return [person for place, person in enumerate(people) if place % 4 in QUARTERS[part]]


def mix(
    utterances: Path, people: Sequence[str], seed: int, condition: Condition = CLEAN
) -> tuple[Waveform, list[Turn]]:
    """Return one conversation of these people and who speaks when in it."""
    chance = random.Random(seed)
    levels = {person: condition.level(chance) for person in people}
    decks = {person: _deck(utterances, person, chance) for person in people}
    placed, turns, cursor = [], [], RATE // 2
    for person, (sound, speech), follows in _dealt(decks, chance):
        start = max(0, cursor + _gap(chance, follows))
        placed.append((person, start, sound * (levels[person] * LOUD / (float(np.sqrt(np.mean(sound**2))) + 1e-9))))
        turns += [Turn((start + begin) / RATE, (start + end) / RATE, person) for begin, end in speech]
        cursor = max(cursor, start + len(sound))
    tracks = _tracks(placed, cursor + RATE // 2)
    return condition.heard(tracks, np.random.default_rng(seed)), sorted(turns, key=lambda turn: turn.start)


def parts_of(sound: Waveform, speech: Spans) -> Iterator[Part]:
    """Cut an utterance at its long pauses, each part with a little silence around it."""
    pauses = (n for n, (before, after) in enumerate(pairwise(speech), 1) if after[0] - before[1] > CUT)
    for first, last in pairwise([0, *pauses, len(speech)]):
        if first < last:
            start, end = max(0, speech[first][0] - AROUND), min(len(sound), speech[last - 1][1] + AROUND)
            yield sound[start:end], [(begin - start, after - start) for begin, after in speech[first:last]]


def _deck(utterances: Path, person: str, chance: random.Random) -> list[Part]:
    """Return a person's parts, shuffled."""
    deck = []
    for path in sorted(utterances.glob(f"{person}-*.flac"))[:UTTERANCES]:
        sound = sound_in(path)
        deck += parts_of(sound, speech_in(path.stem, sound))
    chance.shuffle(deck)
    return deck


def _dealt(decks: dict[str, list[Part]], chance: random.Random) -> Iterator[tuple[str, Part, bool]]:
    """Yield parts until all are dealt: mostly whoever has most left, and somebody else than before if possible.

    The last item says whether another person spoke before.
    """
    last: str | None = None
    while any(decks.values()):
        left = [person for person, deck in decks.items() if deck]
        options = [person for person in left if person != last] or left
        person = max(options, key=lambda name: len(decks[name]) + chance.random() * 4)
        yield person, decks[person].pop(), last not in (None, person)
        last = person


def _gap(chance: random.Random, follows: bool) -> int:
    """Return samples between two turns, negative for an overlap."""
    overlaps = follows and chance.random() < OVERLAPPING
    return -int(RATE * chance.uniform(0.2, 1.2)) if overlaps else int(RATE * chance.uniform(0.1, 1.0))


def _tracks(placed: Sequence[tuple[str, int, Waveform]], samples: int) -> list[Waveform]:
    """Return what each person says, on a track of their own."""
    tracks: dict[str, Waveform] = {}
    for person, start, sound in placed:
        track = tracks.setdefault(person, np.zeros(samples, np.float32))
        track[start : start + len(sound)] += sound
    return list(tracks.values())


def main(utterances: str, folder: str, part: str, count: str, condition: str = CLEAN.name) -> None:
    """Write the mixes that the command line asks for."""
    write_mixes(Path(utterances), Path(folder), part, int(count), CONDITIONS[condition])


if __name__ == "__main__":
    main(*sys.argv[1:])
