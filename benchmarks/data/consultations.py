"""Conversations with the turn-taking of real consultations:
`python -m benchmarks.data.consultations UTTERANCES TIMINGS OUT SPLIT COUNT`.

TIMINGS holds one JSON file per consultation: a list of turns with `start`, `end` (seconds) and `speaker`. Other
people's speech is placed into these turns: short answers, backchannels and overlap are as long, as many and where they
were. The consultations are split like the people.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from benchmarks.data.audio import read_audio
from benchmarks.data.conditions import CLEAN
from benchmarks.data.mixes import LEVEL, RATE, SPLITS, Placed, speakers, tracks_of
from benchmarks.data.speech import speech_of
from parley_core.timed_words import dealt
from parley_core.transcript import Word
from parley_core.turns import Turn, to_rttm

Waveform = NDArray[np.float32]

SECONDS = 150.0  # of a consultation that are used
PAUSE = int(0.15 * RATE)  # samples between two spans of speech inside a turn
FADE = RATE // 100  # samples over which a cut word fades


class Speech:
    """The speech of one person without its pauses, given out turn by turn; it starts again at its end."""

    def __init__(self, utterances: Path, person: str, gain: float) -> None:
        parts = []
        for path in sorted(utterances.glob(f"{person}-*.flac")):
            sound = read_audio(path)
            for begin, end in speech_of(path.stem, sound):
                parts += [sound[begin:end], np.zeros(PAUSE, np.float32)]
        joined = np.concatenate(parts)
        self._sound = joined * (gain * LEVEL / float(np.sqrt(np.mean(joined**2))))
        self._next = 0

    def take(self, samples: int) -> Waveform:
        """Return the next samples, faded in and out."""
        sound = np.take(self._sound, np.arange(self._next, self._next + samples), mode="wrap")
        self._next = (self._next + samples) % len(self._sound)
        edge = min(FADE, samples // 2)
        ramp = np.linspace(0, 1, edge, dtype=np.float32)
        sound[:edge] *= ramp
        sound[samples - edge :] *= ramp[::-1]
        return sound


def write_consultations(utterances: Path, timings: Path, folder: Path, split: str, count: int) -> None:
    """Write `NAME.flac` and `NAME.rttm` of a number of consultations of the people of one split."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (file, people, source) in enumerate(consultations(utterances, timings, split, count)):
        name = f"{split}-consultation-{seed:03d}-02"
        waveform, turns = consultation(utterances, file, people, source)
        soundfile.write(folder / f"{name}.flac", waveform, RATE)
        (folder / f"{name}.rttm").write_text(to_rttm(turns, name))


def consultations(
    utterances: Path, timings: Path, split: str, count: int
) -> Iterator[tuple[Path, list[str], random.Random]]:
    """Yield the file of each consultation of a split, the two people who take its roles, and its source of chance."""
    people = speakers(utterances, split)
    files = [file for place, file in enumerate(sorted(timings.glob("*.json"))) if place % 4 in SPLITS[split].quarters]
    for seed, file in enumerate(files[:count]):
        source = random.Random(f"{SPLITS[split].seed}consultation{seed}")
        yield file, source.sample(people, 2), source


def words_of(rows: Sequence[dict[str, Any]], people: Sequence[str]) -> list[tuple[str, Word]]:
    """Return who says which word in a consultation, row by row. A row's time is dealt to its words by their lengths."""
    rows = [row for row in rows if row["end"] <= SECONDS]
    person = dict(zip(dict.fromkeys(row["speaker"] for row in rows), people, strict=True))
    found = []
    for row in rows:
        words = list(dealt(row["text"], row["start"], row["end"]))
        found += [
            (person[row["speaker"]], Word(text, round((start or 0) * 1000), round((end or 0) * 1000)))
            for text, start, end in words
            if any(character.isalnum() for character in text)
        ]
    return found


def consultation(
    utterances: Path, file: Path, people: Sequence[str], source: random.Random
) -> tuple[Waveform, list[Turn]]:
    """Return the first minutes of a consultation with the voices of two other people, and its turns."""
    rows = [row for row in json.loads(file.read_text()) if row["end"] <= SECONDS]
    roles = list(dict.fromkeys(row["speaker"] for row in rows))
    person = dict(zip(roles, people, strict=True))
    speech = {role: Speech(utterances, person[role], CLEAN.gain(source)) for role in roles}
    placed = []
    for row in rows:
        samples = int((row["end"] - row["start"]) * RATE)
        if samples > FADE:
            sound = speech[row["speaker"]].take(samples)
            placed.append(Placed(person[row["speaker"]], int(row["start"] * RATE), sound, [(0, samples)]))
    turns = merged(sorted((turn for one in placed for turn in one.turns()), key=lambda turn: turn.start))
    return CLEAN.record(tracks_of(placed), np.random.default_rng(source.randrange(1 << 32))), turns


def merged(turns: Sequence[Turn]) -> list[Turn]:
    """Return the turns of each person with those that touch or overlap as one, by start time."""
    found: list[Turn] = []
    for speaker in dict.fromkeys(turn.speaker for turn in turns):
        own = [turn for turn in turns if turn.speaker == speaker]
        edges = [0, *(n for n, (one, after) in enumerate(pairwise(own), 1) if after.start > one.end), len(own)]
        found += [Turn(own[a].start, max(turn.end for turn in own[a:b]), speaker) for a, b in pairwise(edges)]
    return sorted(found, key=lambda turn: turn.start)


if __name__ == "__main__":
    write_consultations(*map(Path, sys.argv[1:4]), sys.argv[4], int(sys.argv[5]))
