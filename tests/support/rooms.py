"""A room around a recording."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

SAMPLE_RATE = 16_000


def in_a_room(speech: NDArray[np.float32]) -> NDArray[np.float32]:
    """Only reverberation, which decays by 60 dB in 0.9 s."""
    samples = int(0.9 * SAMPLE_RATE)
    noise = np.random.default_rng(1).normal(0, 1, samples)
    response = noise * 10 ** (-3 * np.arange(samples) / samples)
    return np.asarray(fftconvolve(speech, response)[: len(speech)] / np.linalg.norm(response), np.float32)
