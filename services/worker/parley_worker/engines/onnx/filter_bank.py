"""The first layer of the segmentation model, once per moment of a recording instead of once per window.

The layer is a bank of 80 band-pass filters of 251 samples, one output every 10 samples (SincNet: Ravanelli and Bengio,
2018). It takes a third of the model's multiplications, and overlapping windows repeat it. The released model normalises
each window before the filters. They are linear, so the output for a normalised window is the output for the window as
it is, times a gain, plus an offset. Blocks of one step are filtered once, and each window applies its own gain and
offset. The result is the model's up to rounding.

Half of the filters are symmetric and half are antisymmetric. The two halves of the input are added, or subtracted,
before the products, of which there are half as many.
"""

from __future__ import annotations

import numpy as np
import onnxruntime
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from parley_worker.engines.onnx.grid import WINDOW, Samples, padded

Floats = NDArray[np.float32]

FILTERS = "sincnet.filters"  # (80, 251): first the symmetric half
GAIN, OFFSET = "sincnet.wav_norm1d.weight", "sincnet.wav_norm1d.bias"  # of a window at variance one
INPUT = "filtered"  # (windows, 80, POOLED)
CHANNELS, TAPS = 80, 251
HOP = 10  # samples between outputs of a filter
CHUNK = 1600  # outputs, 1 s, that are computed at a time: their input stays in the processor's cache
POOL = 3  # outputs of which the greatest counts
POOLED = ((WINDOW - TAPS) // HOP + 1) // POOL  # values of a window per filter: 5,325
POOLED_CHUNK = 355  # of them that are computed at a time, for the same reason

_EPSILON = 1e-5  # of the normalisation
_HALF = CHANNELS // 2
_MIDDLE = TAPS // 2


class SharedFilterBank:
    """The segmentation model without its first layer, and that layer.

    Args:
        session: the model that `make weights` makes: it takes INPUT, and has FILTERS, GAIN and OFFSET as outputs.
    """

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        unused = np.zeros((1, CHANNELS, POOLED), np.float32)
        filters, gain, offset = session.run([FILTERS, GAIN, OFFSET], {INPUT: unused})
        self._session = session
        self._symmetric: Floats = np.ascontiguousarray(filters[:_HALF, : _MIDDLE + 1].T)
        self._symmetric[-1] /= 2  # the middle of the input is added to itself
        self._antisymmetric: Floats = np.ascontiguousarray(filters[_HALF:, :_MIDDLE].T)
        self._response: Floats = filters.sum(axis=1)  # to a constant input of one
        self.gain, self.offset = float(gain[0]), float(offset[0])

    def scores(self, filtered: Floats, options: onnxruntime.RunOptions | None) -> Floats:
        """Return the log-probabilities of classes, shape (windows, 589, 7), from INPUT."""
        scores: Floats = self._session.run(["y"], {INPUT: filtered}, options)[0]
        return scores

    def filter(self, samples: Floats, outputs: Floats) -> None:
        """Compute the output of each filter every HOP samples.

        Args:
            samples: shape (HOP * outputs + TAPS - HOP,).
            outputs: gets the result, shape (outputs, 80).
        """
        for first in range(0, len(outputs), CHUNK):
            part = outputs[first : first + CHUNK]
            forward, backward = _halves(samples[first * HOP : (first + len(part) - 1) * HOP + TAPS])
            np.matmul(forward + backward, self._symmetric, out=part[:, :_HALF])
            difference = forward[:, :_MIDDLE] - backward[:, :_MIDDLE]
            np.matmul(difference, self._antisymmetric, out=part[:, _HALF:])

    def pool(self, outputs: Floats, window: Floats, pooled: Floats) -> None:
        """Compute the input of the model for one window.

        Args:
            outputs: of the filters for the window as it is, shape (POOL * POOLED, 80).
            window: its samples, shape (160000,).
            pooled: gets the result, shape (80, POOLED).
        """
        deviation = np.sqrt(window.var(dtype=np.float64) + _EPSILON)
        level = self.offset * deviation / self.gain - window.mean(dtype=np.float64)
        shift = np.asarray(np.float32(level) * self._response, np.float32)
        for first in range(0, POOLED, POOLED_CHUNK):
            part = outputs[POOL * first : POOL * (first + POOLED_CHUNK)] + shift
            np.abs(part, out=part)
            one, two, three = part.reshape(-1, POOL, CHANNELS).swapaxes(0, 1)
            greatest = np.maximum(np.maximum(one, two), three)  # a third faster than its maximum over an axis
            greatest *= np.float32(self.gain / deviation)
            pooled[:, first : first + POOLED_CHUNK] = greatest.T


class FilteredRecording:
    """The input of the model for the windows of one recording, in two buffers that are filled again and again.

    Blocks of one step are filtered at positions that do not depend on where the work begins, so a continued
    recording has the same values, bit by bit.

    Args:
        bank: the filters.
        waveform: shape (samples,).
        step: samples between window starts, a multiple of HOP.
        batch: windows at a time, at most.
    """

    def __init__(self, bank: SharedFilterBank, waveform: Samples, step: int, batch: int) -> None:
        self._bank = bank
        self._waveform = waveform
        self._step = step
        blocks = -(-HOP * POOL * POOLED // step)  # that a window covers
        self._outputs: Floats = np.empty((blocks, step // HOP, CHANNELS), np.float32)
        self._starts: list[int] = []  # of the blocks in it
        self._pooled: Floats = np.empty((batch, CHANNELS, POOLED), np.float32)

    def windows(self, starts: range) -> Floats:
        """Return the input for the windows with these starts, in samples, shape (windows, 80, POOLED).

        It is valid until the next call.
        """
        for start, pooled in zip(starts, self._pooled, strict=False):
            self._filter(start)
            outputs = self._outputs.reshape(-1, CHANNELS)[: POOL * POOLED]
            self._bank.pool(outputs, padded(self._waveform, start, start + WINDOW), pooled)
        return self._pooled[: len(starts)]

    def _filter(self, start: int) -> None:
        """Put the blocks of one window into the buffer; those that are there move."""
        wanted = [start + block * self._step for block in range(len(self._outputs))]
        for place, first in enumerate(wanted):
            if first in self._starts:
                self._outputs[place] = self._outputs[self._starts.index(first)]
            else:
                samples = padded(self._waveform, first, first + self._step + TAPS - HOP)
                self._bank.filter(samples, self._outputs[place])
        self._starts = wanted


def _halves(samples: Floats) -> tuple[Floats, Floats]:
    """Return the first half of each output's input with its middle, and the second backwards, both (outputs, 126)."""
    forward = sliding_window_view(samples, _MIDDLE + 1)[::HOP][: (len(samples) - TAPS) // HOP + 1]
    backward = sliding_window_view(np.ascontiguousarray(samples[::-1]), _MIDDLE + 1)
    return forward, backward[len(samples) - TAPS :: -HOP]
