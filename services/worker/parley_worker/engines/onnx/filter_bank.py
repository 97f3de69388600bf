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
from numpy.typing import NDArray

from parley_worker.engines.onnx.arithmetic.library import FILTER_COLUMNS, Library
from parley_worker.engines.onnx.grid import WINDOW, Samples, padded

Floats = NDArray[np.float32]

CHANNELS, TAPS = 80, 251
HOP = 10  # samples between outputs of a filter
POOL = 3  # outputs of which the greatest counts
POOLED = ((WINDOW - TAPS) // HOP + 1) // POOL  # values of a window per filter: 5,325

_EPSILON = 1e-5  # of the normalisation
_HALF = CHANNELS // 2
_MIDDLE = TAPS // 2


class FilterBank:
    """The first layer.

    Args:
        library: our own arithmetic.
        filters: 40 symmetric and 40 antisymmetric ones, shape (80, 251).
        gain: of a window at variance one.
        offset: is added to it.
    """

    def __init__(self, library: Library, filters: Floats, gain: float, offset: float) -> None:
        self._library = library
        symmetric = filters[:_HALF, : _MIDDLE + 1].T.copy()
        symmetric[-1] /= 2  # the middle of the input is added to itself
        zeros = ((0, 0), (0, FILTER_COLUMNS - _HALF))
        self._halves = np.pad(symmetric, zeros), np.pad(filters[_HALF:, :_MIDDLE].T, zeros)
        self._response: Floats = filters.sum(axis=1)  # to a constant input of one
        self.gain, self.offset = gain, offset

    def filter(self, samples: Floats, outputs: Floats) -> None:
        """Compute the output of each filter every HOP samples.

        Args:
            samples: shape (HOP * outputs + TAPS - HOP,).
            outputs: gets the result, shape (outputs, 80).
        """
        self._library.filters(np.ascontiguousarray(samples, np.float32), *self._halves, outputs)

    def pool(self, outputs: Floats, window: Floats, pooled: Floats) -> None:
        """Compute the input of the model for one window.

        Args:
            outputs: of the filters for the window as it is, shape (POOL * POOLED, 80).
            window: its samples, shape (160000,).
            pooled: gets the result, shape (POOLED, 80).
        """
        deviation = np.sqrt(window.var(dtype=np.float64) + _EPSILON)
        level = self.offset * deviation / self.gain - window.mean(dtype=np.float64)
        shift = np.asarray(np.float32(level) * self._response, np.float32)
        self._library.pool(outputs, shift, self.gain / deviation, pooled)


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

    def __init__(self, bank: FilterBank, waveform: Samples, step: int, batch: int) -> None:
        self._bank = bank
        self._waveform = waveform
        self._step = step
        blocks = -(-HOP * POOL * POOLED // step)  # that a window covers
        self._outputs: Floats = np.empty((blocks, step // HOP, CHANNELS), np.float32)
        self._starts: list[int] = []  # of the blocks in it
        self._pooled: Floats = np.empty((batch, POOLED, CHANNELS), np.float32)

    def windows(self, starts: range) -> Floats:
        """Return the input for the windows with these starts, in samples, shape (windows, POOLED, 80).

        It is valid until the next call, and may be changed.
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
