"""Suppression of late reverberation, for recordings of rooms that echo: the segmentation misses blurred speech.

Late reverberation decays exponentially, so its power in a moment follows from the power some moments before. It is
subtracted from the spectrum (Lebart, Boucher and Denbigh, 2001: "A new method based on spectral subtraction for speech
dereverberation"). What is left sounds harsh, and is for the segmentation only: embeddings are made of the recording as
it is.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from parley_worker.engines.onnx.grid import SAMPLE_RATE

Floats = NDArray[np.float32]

# Chosen on rooms of the tuning split (docs/adr/0039).
SECONDS = 1.0  # RT60 of every room: a longer one than most have, since too much of it is better than too little
EXCESS = 2.0  # of the subtracted power
SMOOTHING = 0.7  # of the power from frame to frame
LEAST_GAIN = 0.1  # 20 dB: what stays of every frequency

FRAME, HOP = 512, 256  # samples: 32 ms, every 16 ms
DELAY = 3  # frames, 48 ms, from sound to late reverberation: the reflections before it make speech clearer
BLOCK = 320 * HOP  # samples, 5.12 s, that are computed at a time
LEAD = 32 * HOP  # samples before a block, 0.5 s, from which its first frames know what was before
KEPT = 6  # blocks: a batch of windows and its filters need up to 20 s

_SHARE = np.float32(EXCESS * 10 ** (-6 * DELAY * HOP / (SECONDS * SAMPLE_RATE)))
_WINDOW: Floats = np.sqrt(np.hanning(FRAME + 1)[:-1]).astype(np.float32)  # its square adds up to one
_SMALLEST = np.float32(1e-12)


class Dereverberated:
    """A recording without most of its late reverberation. It is computed where it is read, so it takes no memory.

    Blocks do not depend on where reading begins, so a continued recording has the same values, bit by bit.

    Args:
        waveform: shape (samples,), 16 kHz.
    """

    def __init__(self, waveform: Floats) -> None:
        self._waveform = waveform
        self._blocks: dict[int, Floats] = {}  # in the order in which they were computed

    def __len__(self) -> int:
        return len(self._waveform)

    def __getitem__(self, part: slice) -> Floats:
        """Return consecutive samples, as the waveform itself would."""
        start, end, _ = part.indices(len(self))
        numbers = range(start // BLOCK, max(start, end - 1) // BLOCK + 1)
        read = np.concatenate([self._block(number) for number in numbers])
        return read[start - numbers[0] * BLOCK : end - numbers[0] * BLOCK]

    def _block(self, number: int) -> Floats:
        if number not in self._blocks:
            while len(self._blocks) >= KEPT:
                del self._blocks[next(iter(self._blocks))]
            start = number * BLOCK
            before = min(start, LEAD)
            samples = self._waveform[start - before : start + BLOCK + FRAME]
            samples = np.pad(samples, (LEAD - before, BLOCK + FRAME + before - len(samples)))
            self._blocks[number] = suppressed(samples)[LEAD : LEAD + BLOCK]
        return self._blocks[number]


def suppressed(samples: Floats) -> Floats:
    """Return samples without most of their late reverberation, except for the first and the last HOP samples.

    Args:
        samples: shape (multiple of HOP,), at least FRAME.
    """
    spectrum = np.fft.rfft(sliding_window_view(samples, FRAME)[::HOP] * _WINDOW)
    power = np.asarray(spectrum.real**2 + spectrum.imag**2, np.float32)
    gain = np.sqrt(np.maximum(1 - late_power(power) / np.maximum(power, _SMALLEST), LEAST_GAIN**2))
    frames = np.asarray(np.fft.irfft(spectrum * gain, FRAME), np.float32) * _WINDOW
    found = np.zeros((len(frames) + 1, HOP), np.float32)
    found[:-1] += frames[:, :HOP]
    found[1:] += frames[:, HOP:]
    return found.ravel()


def late_power(power: Floats) -> Floats:
    """Return the power of the late reverberation in each frame and frequency, both of shape (frames, frequencies)."""
    late = np.zeros_like(power)
    smooth = np.zeros_like(power[0])
    for frame, now in enumerate(power[:-DELAY]):
        smooth = SMOOTHING * smooth + (1 - SMOOTHING) * now
        late[frame + DELAY] = _SHARE * smooth
    return late
