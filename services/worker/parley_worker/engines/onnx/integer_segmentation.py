"""The segmentation model with an LSTM of 8-bit activations and weights, on our own arithmetic.

The network is that of segmentation-3.0 (PyanNet: Bredin and Laurent, 2021): a bank of filters (filter_bank.py), two
convolutions, four layers of an LSTM in both directions, and three linear layers. The LSTM's outputs are bytes where
they are multiplied. The scale of its first input follows from each window alone, so the window beside
it changes a result in the last digits only. `tools/weights/packing.py` makes the arrays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parley_worker.engines.onnx.arithmetic.library import Bytes, Floats, Library, Plane
from parley_worker.engines.onnx.filter_bank import FilterBank
from parley_worker.engines.onnx.grid import FRAMES

CHANNELS = 60  # after a convolution
UNITS, GATES = 128, 512  # of an LSTM layer, per direction
LAYERS = 4
POOLED = (1773, FRAMES)  # rows after each convolution
LINEAR = ("linear.0", "linear.1", "classifier")
LEAK = 0.01  # of the rectifiers


class IntegerSegmentation:
    """The model; keeps its activations until `release`.

    Args:
        library: for this processor.
        arrays: the weights, as `make weights` writes them.
    """

    def __init__(self, library: Library, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.filters = FilterBank(library, arrays["filters"], float(arrays["gain"]), float(arrays["offset"]))
        self._library = library
        self._arrays = arrays
        self._inputs = [library.named_layer(arrays, f"lstm{number}.input") for number in range(LAYERS)]
        self._recurrences = [
            [
                library.recurrent(weights, scale)
                for weights, scale in zip(arrays[f"{name}.weights"], arrays[f"{name}.scale"], strict=True)
            ]
            for name in (f"lstm{number}.recurrent" for number in range(LAYERS))
        ]
        self._sums = arrays["lstm0.input.weights"].sum(axis=(0, 1), dtype=np.int32)
        self._gates: Floats | None = None

    def scores(self, filtered: Floats) -> Floats:
        """Return the log-probabilities of classes, shape (windows, 589, 7).

        Args:
            filtered: output of the filters after pooling, shape (one or two windows, 5325, 80); it changes.
        """
        windows = len(filtered)
        if self._gates is None or self._gates.shape[1] != windows:
            self._gates = np.empty((FRAMES, windows, 2, GATES), np.float32)
        gates = self._gates
        for window, values in enumerate(filtered):
            self._first_gates(self._convolved(values), window)
        found = np.empty((FRAMES, windows, 2, UNITS), np.uint8)
        last = np.empty((FRAMES, windows, 2, UNITS), np.float32)
        for number in range(LAYERS):
            if number:
                rows = FRAMES * windows
                source, output = Plane(found, 0, 0, 2 * UNITS), Plane(gates, 0, 0, 2 * GATES)
                self._inputs[number].run(source, [0], output, (1, rows))
            found = np.empty_like(found)
            for backwards, recurrence in enumerate(self._recurrences[number]):
                recurrence.run(gates, bool(backwards), found, last if number == LAYERS - 1 else None)
        scores = self._classes(last.reshape(FRAMES * windows, -1))
        return np.ascontiguousarray(scores.reshape(FRAMES, windows, -1).swapaxes(0, 1))

    def release(self) -> None:
        """Give back the memory of the activations."""
        self._gates = None

    def _convolved(self, values: Floats) -> Floats:
        """Return the input of the LSTM for one window, shape (589, 60)."""
        for number, rows in enumerate(POOLED):
            self._normalise(values, number)
            output = np.empty((rows, CHANNELS), np.float32)
            weights, offset = (self._arrays[f"conv{number + 1}.{part}"] for part in ("weights", "offset"))
            self._library.convolved(values, weights, offset, output)
            values = output
        self._normalise(values, len(POOLED))
        return values

    def _normalise(self, values: Floats, number: int) -> None:
        self._library.normalised(values, *(self._arrays[f"norm{number}.{part}"] for part in ("weight", "offset")))

    def _first_gates(self, values: Floats, window: int) -> None:
        """Put what the input contributes to the first layer's gates into its place."""
        assert self._gates is not None
        least, greatest = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
        step = (greatest - least) / 255 or 1.0
        zero = round(-least / step)
        many: Bytes = np.empty((FRAMES, CHANNELS), np.uint8)
        scale, offset = np.full(CHANNELS, 1 / step, np.float32), np.full(CHANNELS, zero, np.float32)
        self._library.rectified(values, CHANNELS, scale, offset, many)
        by = np.asarray(self._arrays["lstm0.input.scale"] * np.float32(step), np.float32)
        constant = np.asarray(self._arrays["lstm0.input.offset"] - by * (zero * self._sums), np.float32)
        row = self._gates.shape[1] * 2 * GATES
        output = Plane(self._gates, window * 2 * GATES, 0, row)
        self._inputs[0].scaled(by, constant).run(Plane(many, 0, 0, CHANNELS), [0], output, (1, FRAMES))

    def _classes(self, outputs: Floats) -> Floats:
        """Return log-probabilities, shape (rows, 7), from the outputs of the LSTM."""
        for name in LINEAR:
            outputs = outputs @ self._arrays[f"{name}.weight"] + self._arrays[f"{name}.offset"]
            if name != LINEAR[-1]:
                outputs = np.maximum(outputs, np.float32(LEAK) * outputs)
        outputs = outputs - outputs.max(axis=1, keepdims=True)
        return np.asarray(outputs - np.log(np.exp(outputs).sum(axis=1, keepdims=True)), np.float32)
