"""A recording in pieces, cut where it is quiet, and each piece as a WAV file."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from parley_audio import SAMPLE_RATE

Waveform = NDArray[np.float32]

SEARCH_SECONDS = 30.0  # before the longest end of a piece, for a place to cut: talk pauses more often
FRAME = SAMPLE_RATE // 50  # samples, 20 ms
QUIET_FRAMES = 15  # 300 ms: longer than the closure of a plosive, so that no word is cut at one
CHUNK = 32 * 1024  # samples that are converted and sent at a time
HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
PCM, BYTES = 1, 2  # format of the samples, and the length of one


def pieces_of(waveform: Waveform, longest_seconds: float) -> list[tuple[int, int]]:
    """Return the first sample and the end of each piece, one after the other.

    Args:
        waveform: shape (samples,), mono, 16 kHz, -1 to 1.
        longest_seconds: of a piece.
    """
    longest = int(longest_seconds * SAMPLE_RATE)
    bounds = [0]
    while len(waveform) - bounds[-1] > longest:
        end = bounds[-1] + longest
        begin = end - min(longest // 2, int(SEARCH_SECONDS * SAMPLE_RATE))
        bounds.append(begin + _quietest(waveform[begin:end]))
    return list(pairwise([*bounds, len(waveform)]))


def _quietest(samples: Waveform) -> int:
    """Return the middle of the quietest 300 ms."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    power = np.einsum("ij,ij->i", frames, frames, dtype=np.float64)
    mean = np.convolve(power, np.ones(QUIET_FRAMES), "valid")
    return int((int(mean.argmin()) + QUIET_FRAMES / 2) * FRAME)


def wav_length(samples: int) -> int:
    """Return the bytes of a piece of this many samples as `wav_of` yields it."""
    return HEADER.size + samples * BYTES


def wav_of(samples: Waveform) -> Iterator[bytes]:
    """Yield a WAV file, 16 bits, mono, 16 kHz."""
    size = len(samples) * BYTES
    rate = SAMPLE_RATE * BYTES
    about = (b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, PCM, 1, SAMPLE_RATE, rate, BYTES, BYTES * 8, b"data", size)
    yield HEADER.pack(*about)
    for first in range(0, len(samples), CHUNK):
        part = samples[first : first + CHUNK]
        yield np.rint(np.clip(part, -1, 1) * 32767).astype("<i2").tobytes()
