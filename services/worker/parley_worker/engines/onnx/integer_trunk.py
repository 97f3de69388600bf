"""The trunk of CAM++ with 8-bit weights, on our own arithmetic.

The network, and the names of its parts, are those of 3D-Speaker (Wang et al., 2023, "CAM++"): four residual blocks over
bands and time, and three densely connected blocks over time, in which each layer adds 32 channels, multiplied by a gate
that follows from the mean of the recording's block and of the segment of 2 s. Activations are bytes where they are
multiplied. `tools/weights/packing.py` makes the arrays: all scales are in the layers' scale and offset.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parley_worker.engines.onnx.arithmetic.library import SEGMENT, Bytes, Floats, Library, Plane, Residual
from parley_worker.engines.onnx.features import BANDS
from parley_worker.engines.onnx.trunk import LastLayer

CHANNELS = 32  # of the residual blocks, and added by a layer of the dense blocks
INNER = 128  # channels inside a dense layer, and before the first dense block
OUTPUT = 512
RESIDUAL_BLOCKS = (("layer1.0", 2), ("layer1.1", 1), ("layer2.0", 2), ("layer2.1", 1))  # stride over bands
DENSE_BLOCKS = ((12, 1), (24, 2), (16, 2))  # layers, dilation
FRAME_TAPS = 5  # features that the first layer over time sees
WIDEST = 1024


class IntegerTrunk:
    """The trunk; keeps its activations until `release`.

    Args:
        library: for this processor.
        arrays: the weights, as `make weights` writes them.
    """

    def __init__(self, library: Library, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.last_layer = LastLayer(arrays["head.weight"][:, :, 0], arrays["head.mean"], arrays["head.variance"])
        self._library = library
        self._arrays = arrays
        names = [name.removesuffix(".weights") for name, array in arrays.items() if array.dtype == np.int8]
        self._layers = {name: library.named_layer(arrays, name) for name in names}
        self._kept: dict[str, NDArray[Any]] = {}

    def frames(self, features: Floats) -> Floats:
        """Return trunk frames, shape (frames / 2, 512), from features less their mean, shape (multiple of 200, 80)."""
        return self._over_time(self._over_bands(features))

    def release(self) -> None:
        """Give back the memory of the activations."""
        self._kept.clear()

    def _over_bands(self, features: Floats) -> Bytes:
        """Return the output of the residual part, shape (10, features + 4, 32): two times at either end are zero."""
        times = len(features)
        row = (times + 2) * CHANNELS
        framed = self._floats("framed", times + 2, BANDS + 2)
        framed[1:-1, 1:-1] = features
        now = self._bytes("first", BANDS + 2, times + 2, CHANNELS)
        self._library.first_layer(framed, self._arrays["first.weights"], self._arrays["first.offset"], now)
        around = [band * row + time * CHANNELS for band in range(3) for time in range(3)]
        middle = row + CHANNELS
        bands = BANDS
        for name, stride in RESIDUAL_BLOCKS:
            bands //= stride
            size = bands, times
            source = Plane(now, 0, stride * row, CHANNELS)
            inner = self._bytes(f"inner of {bands}", bands + 2, times + 2, CHANNELS)
            self._layers[f"{name}.conv1"].run(source, around, Plane(inner, middle, row, CHANNELS), size)
            skipped = Plane(now, middle, row, CHANNELS)
            if stride > 1:
                shortcut = self._bytes(f"{name}.shortcut", bands + 2, times + 2, CHANNELS)
                skipped = Plane(shortcut, middle, row, CHANNELS)
                self._layers[f"{name}.shortcut"].run(source, [middle], skipped, size)
            now = self._bytes(name, bands + 2, times + 2, CHANNELS)
            scale, zero = self._arrays[f"{name}.residual"]
            residual = Residual(skipped, float(scale), float(zero))
            inside = Plane(inner, 0, row, CHANNELS)
            self._layers[f"{name}.conv2"].run(inside, around, Plane(now, middle, row, CHANNELS), size, residual)
        bands //= 2
        found = self._bytes("bands", bands, times + FRAME_TAPS - 1, CHANNELS)
        output = Plane(found, FRAME_TAPS // 2 * CHANNELS, found.strides[0], CHANNELS)
        self._layers["conv2"].run(Plane(now, 0, 2 * row, CHANNELS), around, output, (bands, times))
        return found

    def _over_time(self, found: Bytes) -> Floats:
        """Return the output of the dense part, shape (frames, 512)."""
        bands, width, _ = found.shape
        frames = (width - FRAME_TAPS + 1) // 2
        taps = [band * width * CHANNELS + time * CHANNELS for time in range(FRAME_TAPS) for band in range(bands)]
        now = self._floats("dense1", frames, _width(0))
        layer = self._layers["tdnn"]
        layer.run(Plane(found, 0, 0, 2 * CHANNELS), taps, Plane(now, 0, 0, now.shape[1]), (1, frames))
        np.maximum(now[:, :INNER], 0, out=now[:, :INNER])
        channels = INNER
        for block, (layers, dilation) in enumerate(DENSE_BLOCKS, 1):
            for number in range(1, layers + 1):
                self._dense(f"block{block}.{number}", now, channels, dilation)
                channels += CHANNELS
            many = self._rectified(f"transit{block}", now, channels)
            layer = self._layers[f"transit{block}"]
            now = self._floats(f"dense{block + 1}", frames, _width(block))
            layer.run(Plane(many, 0, 0, channels), [0], Plane(now, 0, 0, now.shape[1]), (1, frames))
            channels = layer.columns
        return np.maximum(now, 0)

    def _dense(self, name: str, now: Floats, channels: int, dilation: int) -> None:
        """Add 32 channels after the first `channels` ones of `now`."""
        frames, width = now.shape
        many = self._rectified(name, now, channels)
        inner = self._bytes(f"inner{dilation}", frames + 2 * dilation, INNER)
        output = Plane(inner, dilation * INNER, 0, INNER)
        self._layers[f"{name}.inner"].run(Plane(many, 0, 0, channels), [0], output, (1, frames))
        sums = np.empty((frames // SEGMENT, INNER), np.int32)
        self._library.segment_sums(inner[dilation:], sums)
        means = sums * self._arrays[f"{name}.mean_scale"]
        context = means + means.mean(axis=0)
        first, second = (self._arrays[f"{name}.gate{part}"] for part in (1, 2))
        hidden = np.maximum(context @ first[:-1] + first[-1], 0)
        gate = np.asarray(1 / (1 + np.exp(-(hidden @ second[:-1] + second[-1]))), np.float32)
        taps = [tap * dilation * INNER for tap in range(3)]
        added = Plane(now, channels, 0, width)
        self._layers[f"{name}.local"].run(Plane(inner, 0, 0, INNER), taps, added, (1, frames), gate=gate)

    def _rectified(self, name: str, now: Floats, channels: int) -> Bytes:
        many = self._bytes("many", len(now), WIDEST)
        scale, offset = self._arrays[f"{name}.rectifier"]
        self._library.rectified(now, channels, scale, offset, many)
        return many

    def _bytes(self, name: str, *shape: int) -> Bytes:
        """Return the array with this name; a new one is zero, and layers write inside its border only."""
        return self._array(name, shape, np.dtype(np.uint8))

    def _floats(self, name: str, *shape: int) -> Floats:
        return self._array(name, shape, np.dtype(np.float32))

    def _array(self, name: str, shape: tuple[int, ...], kind: np.dtype[Any]) -> NDArray[Any]:
        kept = self._kept.get(name)
        if kept is None or kept.shape != shape:
            kept = self._kept[name] = np.zeros(shape, kind)
        return kept


def _width(block: int) -> int:
    """Return the channels at the end of a dense block, the first is 0; of the output after the last one."""
    before = (INNER, 256, OUTPUT, OUTPUT)[block]
    return before + (DENSE_BLOCKS[block][0] * CHANNELS if block < len(DENSE_BLOCKS) else 0)
