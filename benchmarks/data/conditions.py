"""Recording conditions: clean, reverberation, noise, telephone, narrow band, different levels, far microphone.

Each condition mixes the tracks of all people into one recording. All are simple on purpose: each removes from speech
what real places remove (direct sound, quiet parts, frequency bands, level).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, resample_poly, sosfilt

Waveform = NDArray[np.float32]
Generator = np.random.Generator

RATE = 16_000
NOISE_FLOOR = 0.0008  # root mean square of the faint noise in every recording
NEAR = (-6.0, 3.0)  # decibels: range of people's levels
FAR = (-22.0, 3.0)
MU = 255  # of the telephone's companding, ITU-T G.711


@dataclass(frozen=True, slots=True)
class Condition:
    """A recording condition.

    Attributes:
        name: on the command line and in the recordings' names.
        levels: lowest and highest level of a person, decibels.
        record: mixes the tracks, each of shape (samples,), into one recording.
    """

    name: str
    levels: tuple[float, float]
    record: Callable[[Sequence[Waveform], Generator], Waveform]

    def gain(self, random_source: random.Random) -> float:
        """Return a random gain for one person."""
        return float(10 ** (random_source.uniform(*self.levels) / 20))


def _clean(tracks: Sequence[Waveform], generator: Generator) -> Waveform:
    mixed = np.sum(tracks, axis=0, dtype=np.float32)
    return np.clip(mixed + generator.normal(0, NOISE_FLOOR, len(mixed)).astype(np.float32), -1, 1)


def _room(tracks: Sequence[Waveform], generator: Generator) -> Waveform:
    """One room (reverberation time 0.3 to 0.8 s), each person at a different place."""
    seconds = generator.uniform(0.3, 0.8)
    return _clean([_reverberated(track, seconds, generator) for track in tracks], generator)


def _noisy(tracks: Sequence[Waveform], generator: Generator) -> Waveform:
    """Pink noise, 5 to 20 dB below the speech."""
    clean = _clean(tracks, generator)
    level = np.sqrt(np.mean(clean**2)) * 10 ** (-generator.uniform(5, 20) / 20)
    return np.clip(clean + level * _pink(len(clean), generator), -1, 1)


def _telephone(tracks: Sequence[Waveform], generator: Generator) -> Waveform:
    """300 to 3,400 Hz, 8 kHz, 8 bits with the mu-law."""
    band = butter(4, (300, 3400), "bandpass", fs=RATE, output="sos")
    narrow = np.clip(resample_poly(sosfilt(band, _clean(tracks, generator)), 1, 2), -1, 1)
    companded = np.rint(np.sign(narrow) * np.log1p(MU * np.abs(narrow)) / np.log1p(MU) * 127) / 127
    expanded = np.sign(companded) * np.expm1(np.abs(companded) * np.log1p(MU)) / MU
    return np.clip(resample_poly(expanded, 2, 1)[: len(tracks[0])], -1, 1).astype(np.float32)


def _narrow_band(tracks: Sequence[Waveform], generator: Generator) -> Waveform:
    """8 kHz, as in internet calls and old recorders."""
    halved = resample_poly(_clean(tracks, generator), 1, 2)
    return np.asarray(resample_poly(halved, 2, 1)[: len(tracks[0])], np.float32)


def _far_microphone(tracks: Sequence[Waveform], generator: Generator) -> Waveform:
    """A room, a microphone with little above 2.5 kHz, and noise 15 dB below the speech."""
    muffled = sosfilt(butter(2, 2500, fs=RATE, output="sos"), _room(tracks, generator))
    noise = np.sqrt(np.mean(muffled**2)) * 10 ** (-15 / 20) * _pink(len(muffled), generator)
    return np.clip(muffled + noise, -1, 1).astype(np.float32)


def _reverberated(track: Waveform, seconds: float, generator: Generator) -> Waveform:
    """Return a track with reverberation.

    The tail is noise that decays by 60 dB in `seconds`, with an energy 0 to 8 dB below the direct sound.
    """
    samples = int(seconds * RATE)
    tail = generator.normal(0, 1, samples) * 10 ** (-3 * np.arange(samples) / (seconds * RATE))
    tail[: int(0.002 * RATE)] = 0
    tail *= 10 ** (-generator.uniform(0, 8) / 20) / np.linalg.norm(tail)
    tail[0] = 1
    return fftconvolve(track, tail)[: len(track)].astype(np.float32)


def _pink(samples: int, generator: Generator) -> Waveform:
    """Return noise of root mean square 1 whose power falls by 3 dB per octave."""
    spectrum = np.fft.rfft(generator.normal(0, 1, samples))
    noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1)), samples)
    return (noise / np.sqrt(np.mean(noise**2))).astype(np.float32)


CLEAN = Condition("clean", NEAR, _clean)
CONDITIONS = {
    condition.name: condition
    for condition in (
        CLEAN,
        Condition("echo", NEAR, _room),
        Condition("noise", NEAR, _noisy),
        Condition("telephone", NEAR, _telephone),
        Condition("narrow", NEAR, _narrow_band),
        Condition("levels", FAR, _clean),
        Condition("far", NEAR, _far_microphone),
    )
}
