"""Voices: their pitch, and higher ones made from them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample

from benchmarks.data.audio import read_audio

Waveform = NDArray[np.float32]

RATE = 16_000
FRAME = 640  # samples, 40 ms: two periods of the lowest voice
LOWEST, HIGHEST = 60, 400  # hertz
HIGH = 165  # hertz: most voices of women are above it, most of men below
VOICED = 0.6  # correlation of a period with the next one
GRAIN = 480  # samples, 30 ms: of the overlap-add
SEARCH = 160  # samples by which a grain may move


def similar_voices(utterances: Path, people: Sequence[str], voices: str, source: random.Random) -> list[str]:
    """Return the people with `high` voices, or those with either high or low ones for the `same sex`."""
    pitch = {person: median_pitch(read_audio(min(utterances.glob(f"{person}-*.flac")))) for person in people}
    high = voices == "high" or source.random() < 0.5
    return [person for person in people if (pitch[person] > HIGH) == high]


def median_pitch(sound: Waveform) -> float:
    """Return the median fundamental frequency of an utterance in hertz, by autocorrelation; 0 without voice."""
    frames = sound[: len(sound) // FRAME * FRAME].reshape(-1, FRAME)
    frames = frames - frames.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(frames, 2 * FRAME)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[:, :FRAME]
    unbiased = correlation / (correlation[:, :1] + 1e-9) * FRAME / np.arange(FRAME, 0, -1)
    lags = slice(RATE // HIGHEST, RATE // LOWEST)
    best = unbiased[:, lags].argmax(axis=1) + RATE // HIGHEST
    loud = correlation[:, 0] > np.percentile(correlation[:, 0], 50)
    voiced = loud & (unbiased[:, lags].max(axis=1) > VOICED)
    return float(np.median(RATE / best[voiced])) if voiced.any() else 0.0


def raised(sound: Waveform, factor: float) -> Waveform:
    """Return an utterance of the same length with pitch and formants higher by a factor, as in a child's voice.

    Resampling raises both and shortens the utterance; overlap-add of similar grains (WSOLA: Verhelst and Roelands,
    1993) brings its length back, so that its labels hold.
    """
    short = np.asarray(resample(sound, round(len(sound) / factor)), np.float32)
    window = np.hanning(2 * GRAIN).astype(np.float32)
    source = np.pad(short, (SEARCH, 2 * GRAIN + 2 * SEARCH))
    out = np.zeros(len(sound) + 2 * GRAIN, np.float32)
    expected = SEARCH
    for start in range(0, len(sound), GRAIN):
        middle = SEARCH + min(int(start / factor), len(short))
        begin = _most_similar(source, expected, middle) if start else middle
        out[start : start + 2 * GRAIN] += window * source[begin : begin + 2 * GRAIN]
        expected = min(begin + GRAIN, len(source) - 2 * GRAIN)
    return out[: len(sound)]


def _most_similar(source: Waveform, expected: int, middle: int) -> int:
    """Return the start of the grain around `middle` that best continues the last one."""
    last = min(middle + SEARCH, len(source) - 2 * GRAIN)
    first = max(0, min(middle - SEARCH, last))
    pattern = source[expected : expected + GRAIN]
    similarity = np.correlate(source[first : last + GRAIN], pattern, "valid")
    return first + int(similarity.argmax())
