"""Peaks of a waveform: what the console draws, so that hours of sound open without being decoded again.

The format is version 2 of the binary files of BBC audiowaveform, which waveform libraries for browsers read:
https://github.com/bbc/audiowaveform/blob/master/doc/DataFormat.md
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000  # of every decoded waveform
MAX_PAIRS = 96_000  # two bytes each: 192 kB for the longest recording
SHORTEST = 160  # samples per pair, 10 ms: finer than a screen shows
HEADER = struct.Struct("<iIiiIi")  # version, flags, samples per second, samples per pair, pairs, channels
VERSION, EIGHT_BITS = 2, 1


def peaks_of(waveform: NDArray[np.float32]) -> bytes:
    """Return the lowest and the highest sample of each part of a waveform.

    Args:
        waveform: shape (samples,), mono, 16 kHz, -1 to 1.

    Returns:
        an audiowaveform file with one channel of 8 bits. A part is 10 ms, or longer so that there are at most
        96,000 parts: 150 ms in a recording of four hours.
    """
    samples = max(SHORTEST, -(-len(waveform) // MAX_PAIRS))
    starts = np.arange(0, len(waveform), samples)
    pairs = np.empty((len(starts), 2), np.int8)
    if len(starts):
        pairs[:, 0] = np.floor(np.minimum.reduceat(waveform, starts) * 127)
        pairs[:, 1] = np.ceil(np.maximum.reduceat(waveform, starts) * 127)
    return HEADER.pack(VERSION, EIGHT_BITS, SAMPLE_RATE, samples, len(starts), 1) + pairs.tobytes()
