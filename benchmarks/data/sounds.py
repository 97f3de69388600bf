"""Sounds of a telephone before anybody speaks: a ring tone, then hold music. All are synthetic."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Waveform = NDArray[np.float32]

RATE = 16_000
RING_HERTZ = (440.0, 480.0)
RING_SECONDS = 2.0  # of ringing, and of silence after it
SCALE = (0, 2, 4, 7, 9, 12, 14, 16)  # semitones of a pentatonic scale
CHORDS = ((0, 4, 7), (5, 9, 12), (7, 11, 14), (9, 12, 16))  # semitones
PARTIALS = 8
LEVEL = 0.05  # root mean square


def ring_tone(seconds: float) -> Waveform:
    """Return a ring tone: two seconds of ringing, two of silence."""
    time = np.arange(int(seconds * RATE)) / RATE
    tone = np.sum([np.sin(2 * np.pi * hertz * time) for hertz in RING_HERTZ], axis=0)
    return np.asarray(LEVEL * tone * (time % (2 * RING_SECONDS) < RING_SECONDS), np.float32)


def hold_music(seconds: float, generator: np.random.Generator) -> Waveform:
    """Return a random melody with chords, a bass and a beat."""
    samples = int(seconds * RATE)
    beat = int(generator.uniform(0.3, 0.6) * RATE)
    root = 220 * 2 ** (generator.integers(-5, 6) / 12)
    music = np.zeros(samples + 8 * beat)
    for number, start in enumerate(range(0, samples, beat)):
        chord = CHORDS[number // 8 % len(CHORDS)]
        if number % 4 == 0:
            for semitone in (*chord, chord[0] - 24):
                _add(music, start, _note(root * 2 ** (semitone / 12), 4 * beat, 0.3, generator))
        if generator.random() < 0.8:
            length = int(beat * generator.choice((1, 1, 2)))
            _add(music, start, _note(2 * root * 2 ** (generator.choice(SCALE) / 12), length, 1.0, generator))
        _add(music, start, 0.3 * generator.normal(0, 1, beat) * np.exp(-np.arange(beat) / (0.02 * RATE)))
    return np.asarray(LEVEL * music[:samples] / music[:samples].std(), np.float32)


def _note(hertz: float, samples: int, level: float, generator: np.random.Generator) -> NDArray[np.float64]:
    """Return a decaying tone with vibrato."""
    time = np.arange(samples) / RATE
    vibrato = 0.004 * np.sin(2 * np.pi * generator.uniform(4, 6) * time)
    phase = 2 * np.pi * hertz * (time + vibrato / (2 * np.pi))
    tone = sum(np.sin(partial * phase) / partial**1.3 for partial in range(1, PARTIALS + 1))
    return np.asarray(level * tone * np.exp(-2 * time) * np.minimum(1, time / 0.01))


def _add(target: NDArray[np.float64], start: int, sound: NDArray[np.float64]) -> None:
    end = min(start + len(sound), len(target))
    target[start:end] += sound[: end - start]
