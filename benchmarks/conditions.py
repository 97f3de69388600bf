"""How voices reach the microphone: as they are, through a room, in noise, over a telephone or a call, near and far.

Each condition gets every person's track and returns one recording. All of them are simple on purpose: what they take
away from a voice (its direct sound, its quiet parts, its band, its level) is what real places take away.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, resample_poly, sosfilt

Waveform = NDArray[np.float32]
Chance = np.random.Generator

RATE = 16_000
HISS = 0.0008  # root mean square of the faint noise that every recording has
NEAR = (-6.0, 3.0)  # decibels: how much people differ in level
FAR = (-22.0, 3.0)
MU = 255  # of the telephone's companding, ITU-T G.711


def _as_they_are(tracks: Sequence[Waveform], chance: Chance) -> Waveform:
    return _sum(tracks, chance)


def _in_a_room(tracks: Sequence[Waveform], chance: Chance) -> Waveform:
    """One room (reverberation time 0.3 to 0.8 s), each person at a place of their own."""
    seconds = chance.uniform(0.3, 0.8)
    return _sum([_echoed(track, seconds, chance) for track in tracks], chance)


def _in_noise(tracks: Sequence[Waveform], chance: Chance) -> Waveform:
    """Steady noise that falls by 3 dB per octave, 5 to 20 dB below the speech."""
    clear = _sum(tracks, chance)
    below = np.sqrt(np.mean(clear**2)) * 10 ** (-chance.uniform(5, 20) / 20)
    return np.clip(clear + below * _pink(len(clear), chance), -1, 1)


def _over_the_telephone(tracks: Sequence[Waveform], chance: Chance) -> Waveform:
    """300 to 3,400 Hz at 8 kHz in eight bits by the mu-law."""
    band = butter(4, (300, 3400), "bandpass", fs=RATE, output="sos")
    narrow = np.clip(resample_poly(sosfilt(band, _sum(tracks, chance)), 1, 2), -1, 1)
    companded = np.rint(np.sign(narrow) * np.log1p(MU * np.abs(narrow)) / np.log1p(MU) * 127) / 127
    sent = np.sign(companded) * np.expm1(np.abs(companded) * np.log1p(MU)) / MU
    return np.clip(resample_poly(sent, 2, 1)[: len(tracks[0])], -1, 1).astype(np.float32)


def _at_half_the_rate(tracks: Sequence[Waveform], chance: Chance) -> Waveform:
    """8 kHz and nothing else: calls over the internet, old recorders."""
    return np.asarray(resample_poly(resample_poly(_sum(tracks, chance), 1, 2), 2, 1)[: len(tracks[0])], np.float32)


def _across_the_room(tracks: Sequence[Waveform], chance: Chance) -> Waveform:
    """A room, a microphone that hears little above 2.5 kHz, and noise 15 dB below the speech."""
    muffled = sosfilt(butter(2, 2500, fs=RATE, output="sos"), _in_a_room(tracks, chance))
    noise = np.sqrt(np.mean(muffled**2)) * 10 ** (-15 / 20) * _pink(len(muffled), chance)
    return np.clip(muffled + noise, -1, 1).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Condition:
    """How people are recorded.

    Attributes:
        name: on the command line and in the recordings' names.
        levels: lowest and highest level of a person, decibels.
        heard: makes one recording of the tracks.
    """

    name: str
    levels: tuple[float, float]
    heard: Callable[[Sequence[Waveform], Chance], Waveform]

    def level(self, chance: random.Random) -> float:
        """Return the factor by which one person is louder than the norm."""
        return float(10 ** (chance.uniform(*self.levels) / 20))


CLEAN = Condition("clean", NEAR, _as_they_are)
CONDITIONS = {
    condition.name: condition
    for condition in (
        CLEAN,
        Condition("echo", NEAR, _in_a_room),
        Condition("noise", NEAR, _in_noise),
        Condition("telephone", NEAR, _over_the_telephone),
        Condition("narrow", NEAR, _at_half_the_rate),
        Condition("levels", FAR, _as_they_are),
        Condition("far", NEAR, _across_the_room),
    )
}


def _sum(tracks: Sequence[Waveform], chance: Chance) -> Waveform:
    whole = np.sum(tracks, axis=0, dtype=np.float32)
    return np.clip(whole + chance.normal(0, HISS, len(whole)).astype(np.float32), -1, 1)


def _echoed(track: Waveform, seconds: float, chance: Chance) -> Waveform:
    """Return a track with its echo: noise that decays by 60 dB in so many seconds, 0 to 8 dB below the direct sound."""
    tail = chance.normal(0, 1, int(seconds * RATE)) * 10 ** (-3 * np.arange(int(seconds * RATE)) / (seconds * RATE))
    tail[: int(0.002 * RATE)] = 0
    tail *= 10 ** (-chance.uniform(0, 8) / 20) / np.linalg.norm(tail)
    tail[0] = 1
    return fftconvolve(track, tail)[: len(track)].astype(np.float32)


def _pink(samples: int, chance: Chance) -> Waveform:
    spectrum = np.fft.rfft(chance.normal(0, 1, samples))
    noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1)), samples)
    return (noise / np.sqrt(np.mean(noise**2))).astype(np.float32)
