"""Recording conditions: who speaks, and how the tracks of all people become one recording.

The conditions of the first recipe (`clean` to `far`) are simple on purpose: each removes from speech what real places
remove (direct sound, quiet parts, frequency bands, level). The others are nearer to the world: similar or high voices,
real codecs, rooms by image sources, other people's talk, loud noise, hold music, backchannels.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, resample_poly, sosfilt

from benchmarks.data.codecs import AMR_NARROW_BAND, G723_1, MU_LAW, OPUS_LOW, Codec
from benchmarks.data.rooms import Room
from benchmarks.data.sounds import hold_music, ring_tone

Waveform = NDArray[np.float32]
Generator = np.random.Generator

RATE = 16_000
NOISE_FLOOR = 0.0008  # root mean square of the faint noise in every recording
NEAR = (-6.0, 3.0)  # decibels: range of people's levels
FAR = (-22.0, 3.0)
MU = 255  # of the telephone's companding, ITU-T G.711
REVERBERATION = (0.5, 1.0)  # seconds, RT60 of a room without carpets and curtains
BABBLE = (5.0, 15.0)  # decibels of the speech above other people's talk
LOUD_NOISE = (0.0, 8.0)  # decibels of the speech above the noise
TABLE = (0.5, 2.0)  # metres between people and a microphone
ANYWHERE = (0.5, 9.0)
CROWD = 6  # people whose talk is the babble
RING_SECONDS = 8.0
MUSIC_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Condition:
    """A recording condition.

    Attributes:
        name: on the command line and in the recordings' names.
        levels: lowest and highest level of a person, decibels.
        record: mixes the tracks, each of shape (samples,), into one recording.
        people: lowest and highest number of them.
        voices: which people talk with each other: `any`, those of the `same sex` or those with `high` voices.
        raised: range of the factor by which pitch and formants of each person are higher.
        lead: seconds before the first turn.
        backchannels: share of the long turns in which somebody else says a word.
        crowd: further people, who talk all the time and are not labelled; their tracks are the last ones.
    """

    name: str
    levels: tuple[float, float]
    record: Callable[[Sequence[Waveform], Generator], Waveform]
    people: tuple[int, int] = (2, 10)
    voices: str = "any"
    raised: tuple[float, float] = (1.0, 1.0)
    lead: float = 0.5
    backchannels: float = 0.0
    crowd: int = 0

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


def _loud_noise(tracks: Sequence[Waveform], generator: Generator) -> Waveform:
    clean = _clean(tracks, generator)
    return np.clip(clean + _below(clean, _pink(len(clean), generator), generator.uniform(*LOUD_NOISE)), -1, 1)


def _babble(tracks: Sequence[Waveform], generator: Generator) -> Waveform:
    """Other people talk in the same room, far from the microphone."""
    clean = _clean(tracks[:-CROWD], generator)
    level = [track / (np.std(track) + 1e-9) for track in tracks[-CROWD:]]
    crowd = _in_room([np.float32(0.01) * track for track in level], ANYWHERE, generator)
    return np.clip(clean + _below(clean, crowd, generator.uniform(*BABBLE)), -1, 1)


def _at_a_table(tracks: Sequence[Waveform], generator: Generator) -> Waveform:
    return _in_room(tracks, TABLE, generator)


def _in_room(tracks: Sequence[Waveform], distances: tuple[float, float], generator: Generator) -> Waveform:
    """One room by image sources, one microphone, each person at a different place."""
    room = Room.random(generator, REVERBERATION)
    microphone = room.place(generator)
    wet = []
    for track in tracks:
        response = room.response(room.place_near(microphone, distances, generator), microphone, generator)
        wet.append(fftconvolve(track, response)[: len(track)].astype(np.float32))
    return _clean(wet, generator)


def _through(codec: Codec) -> Callable[[Sequence[Waveform], Generator], Waveform]:
    return lambda tracks, generator: np.clip(codec.transmit(_clean(tracks, generator)), -1, 1)


def _on_hold(tracks: Sequence[Waveform], generator: Generator) -> Waveform:
    """A ring tone, hold music, then a call through G.711."""
    waiting = np.concatenate([ring_tone(RING_SECONDS), hold_music(MUSIC_SECONDS, generator)])
    waiting = np.pad(waiting, (0, len(tracks[0])))[: len(tracks[0])]
    return np.clip(MU_LAW.transmit(_clean([*tracks, waiting], generator)), -1, 1)


def _below(speech: Waveform, noise: Waveform, decibels: float) -> Waveform:
    """Return a noise at a level below that of the speech."""
    return (noise * (np.std(speech) / np.std(noise) * 10 ** (-decibels / 20))).astype(np.float32)


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


FEW = (2, 5)  # people
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
        Condition("control", NEAR, _clean, FEW),
        Condition("same-sex", NEAR, _clean, (2, 4), voices="same sex"),
        Condition("children", NEAR, _clean, (2, 4), voices="high", raised=(1.15, 1.4)),
        Condition("g711", NEAR, _through(MU_LAW), (2, 4)),
        Condition("amr", NEAR, _through(AMR_NARROW_BAND), (2, 4)),
        Condition("opus", NEAR, _through(OPUS_LOW), (2, 4)),
        Condition("g723", NEAR, _through(G723_1), (2, 4)),
        Condition("room", NEAR, _at_a_table, FEW),
        Condition("babble", NEAR, _babble, FEW, crowd=CROWD),
        Condition("loud-noise", NEAR, _loud_noise, FEW),
        Condition("hold-music", NEAR, _on_hold, (2, 2), lead=RING_SECONDS + MUSIC_SECONDS + 1),
        Condition("backchannels", NEAR, _clean, FEW, backchannels=0.7),
    )
}
