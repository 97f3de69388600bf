"""Labelled conversations by code: `python -m tests.bench.mixes UTTERANCES OUT choose|held-out COUNT`.

Clean utterances (`SPEAKER-CHAPTER-NUMBER.flac`, 16 kHz) are cut at their pauses and dealt out in turns, two to ten
people, one level each, with gaps and overlaps. People are split in two: what is chosen on one half is looked at on the
other. Everything follows from the seed, which is the conversation's number.
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

from parley_core.turns import Turn, to_rttm

Waveform = NDArray[np.float32]
Part = tuple[Waveform, list[tuple[float, float]]]  # a stretch of one person, and where in it there is speech, seconds

RATE = 16_000
FRAME = 320  # samples, 20 ms: how finely speech is told from silence
SILENCE = 35.0  # decibels below an utterance's loud frames (its 95th percentile)
BRIDGED = 0.3  # seconds: a shorter pause belongs to the speech around it
CUT = 0.45  # seconds: at a longer pause a turn may end
OVERLAPPING = 0.15  # of the changes of speaker
LOUD = 0.08  # root mean square of a turn before the person's level
PARTS = {"choose": 0, "held-out": 1}


def write_mixes(utterances: Path, folder: Path, part: str, count: int) -> None:
    """Write `NAME.flac` and `NAME.rttm` of so many conversations of the people of one part."""
    folder.mkdir(parents=True, exist_ok=True)
    people = speakers(utterances, part)
    for seed in range(count):
        number = 2 + seed % 9
        name = f"{part}-{seed:03d}-{number:02d}"
        waveform, turns = mix(utterances, random.Random(f"{part}{seed}").sample(people, number), seed)
        soundfile.write(folder / f"{name}.flac", waveform, RATE)
        (folder / f"{name}.rttm").write_text(to_rttm(turns, name))


def speakers(utterances: Path, part: str) -> list[str]:
    """Return every second person, in order of their names."""
    return sorted({path.name.partition("-")[0] for path in utterances.glob("*.flac")})[PARTS[part] :: 2]


def mix(utterances: Path, people: Sequence[str], seed: int) -> tuple[Waveform, list[Turn]]:
    """Return one conversation of these people and who speaks when in it."""
    chance = random.Random(seed)
    decks = {person: _deck(utterances, person, chance) for person in people}
    levels = {person: LOUD * 10 ** (chance.uniform(-6, 3) / 20) for person in people}
    placed, turns, cursor = [], [], RATE // 2
    for person, (sound, speech), follows in _dealt(decks, chance):
        start = max(0, cursor + _gap(chance, follows))
        placed.append((start, sound * (levels[person] / max(float(np.sqrt(np.mean(sound**2))), 1e-9))))
        turns += [Turn(start / RATE + begin, start / RATE + end, person) for begin, end in speech]
        cursor = max(cursor, start + len(sound))
    return _sum(placed, cursor + RATE // 2, seed), sorted(turns, key=lambda turn: turn.start)


def parts_of(sound: Waveform) -> Iterator[Part]:
    """Cut an utterance at its pauses, each part with a little silence around it."""
    spans = speech_of(sound)
    edges = [
        0,
        *(n for n, (a, b) in enumerate(pairwise(spans), 1) if b[0] - a[1] > CUT),
        len(spans),
    ]
    for first, after in pairwise(edges):
        if first < after:
            start, end = max(0.0, spans[first][0] - 0.02), spans[after - 1][1] + 0.02
            yield sound[int(start * RATE) : int(end * RATE)], [(a - start, b - start) for a, b in spans[first:after]]


def speech_of(sound: Waveform) -> list[tuple[float, float]]:
    """Return where a clean utterance is speech, by its level, in seconds; short pauses are bridged."""
    frames = sound[: len(sound) // FRAME * FRAME].reshape(-1, FRAME)
    level = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)
    loud = np.concatenate([[0], level > np.percentile(level, 95) - SILENCE, [0]]).astype(np.int8)
    edges = np.flatnonzero(np.diff(loud)).reshape(-1, 2) * (FRAME / RATE)
    spans: list[tuple[float, float]] = []
    for start, end in edges.tolist():
        if spans and start - spans[-1][1] < BRIDGED:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return [span for span in spans if span[1] - span[0] >= 0.1]


def _deck(utterances: Path, person: str, chance: random.Random) -> list[Part]:
    """Return a person's parts, shuffled: two utterances at most, so that nobody is heard much more than others."""
    paths = sorted(utterances.glob(f"{person}-*.flac"))[:2]
    deck = [part for path in paths for part in parts_of(np.asarray(soundfile.read(path, dtype="float32")[0]))]
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
    return int(RATE * (-chance.uniform(0.2, 1.2) if overlaps else chance.uniform(0.1, 1.0)))


def _sum(placed: Sequence[tuple[int, Waveform]], samples: int, seed: int) -> Waveform:
    """Return the sum of all turns over faint noise."""
    whole = np.random.default_rng(seed).normal(0, 0.0008, samples).astype(np.float32)
    for start, sound in placed:
        whole[start : start + len(sound)] += sound
    return np.clip(whole, -1, 1)


if __name__ == "__main__":
    write_mixes(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
