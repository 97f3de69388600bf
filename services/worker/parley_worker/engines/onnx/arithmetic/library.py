"""arithmetic.c from Python: the compiled file for this processor, and its functions on numpy arrays.

All arrays are contiguous. A *layer* multiplies rows of bytes by signed 8-bit weights: of row `r` of the input, the
bytes from `taps[t] + r * row` on, `depth` of them for each tap, belong to the sums of output row `r`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from parley_worker.engines.onnx.arithmetic.variants import VARIANTS, Variant

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

SEGMENT = 100  # rows that share a gate
FILTER_COLUMNS = 48  # of the filters' weights: 40, and zeros
_FOLDER = Path(__file__).parent
_ROW_BYTES = 2048  # of a row's input, all taps together, at most
_TAPS = 64
_LONG = ctypes.c_int64
_POINTER = ctypes.c_void_p


class _Product(ctypes.Structure):
    """The argument of parley_product: addresses, and distances in elements."""

    _fields_ = (
        ("input", _POINTER), ("outer", _LONG), ("rows", _LONG), ("input_outer", _LONG), ("input_row", _LONG),
        ("taps", _POINTER), ("tap_count", _LONG), ("depth", _LONG), ("columns", _LONG),
        ("weights", _POINTER), ("start", _POINTER), ("scale", _POINTER), ("offset", _POINTER),
        ("residual", _POINTER), ("residual_scale", ctypes.c_float), ("residual_zero", ctypes.c_float),
        ("gate", _POINTER), ("bytes", _POINTER), ("floats", _POINTER),
        ("output_outer", _LONG), ("output_row", _LONG),
    )  # fmt: skip


class Library:
    """The functions of one compiled file.

    Args:
        variant: which one.

    Raises:
        OSError: it was not compiled, or of other code than the one that is here.
    """

    def __init__(self, variant: Variant) -> None:
        self.name = variant.name
        self._functions = ctypes.CDLL(str(_FOLDER / variant.file))
        try:
            for name in ("source", "depth", "block", "recurrent_block", "signed"):
                getattr(self._functions, f"parley_{name}").restype = _LONG
        except AttributeError as error:
            raise OSError(f"{variant.file} has no function parley_{name}") from error
        if self._functions.parley_source() != crc32((_FOLDER / "arithmetic.c").read_bytes()):
            raise OSError(f"{variant.file} was compiled from another arithmetic.c")
        self._depth = int(self._functions.parley_depth())
        self._signed = bool(self._functions.parley_signed())

    def layer(self, weights: NDArray[np.int8], scale: Floats, offset: Floats) -> Layer:
        """Return a layer.

        Args:
            weights: shape (taps, depth, columns); depth is a multiple of 4, columns of 32.
            scale: of the sums, shape (columns,).
            offset: is added then, shape (columns,).
        """
        block = int(self._functions.parley_block(_LONG(weights.shape[2])))
        packed = self._packed(weights, block)
        return Layer(self._functions, packed, self._start(weights), weights.shape, scale, offset)

    def named_layer(self, arrays: Mapping[str, NDArray[Any]], name: str) -> Layer:
        """Return the layer whose weights, scale and offset have these names in a model file."""
        return self.layer(*(arrays[f"{name}.{part}"] for part in ("weights", "scale", "offset")))

    def rectified(self, values: Floats, columns: int, scale: Floats, offset: Floats, output: Bytes) -> None:
        """Put the first columns of rows of values, times scale plus offset, rounded to 0 to 255, into the output."""
        rows, row = values.shape
        self._functions.parley_rectified(
            _address(values), _LONG(rows), _LONG(row), _LONG(columns),
            _address(scale), _address(offset), _address(output), _LONG(columns),
        )  # fmt: skip

    def segment_sums(self, values: Bytes, sums: NDArray[np.int32]) -> None:
        """Put the sum of each column over SEGMENT rows each into `sums`, shape (segments, columns)."""
        segments, columns = sums.shape
        self._functions.parley_segment_sums(_address(values), _LONG(segments), _LONG(columns), _address(sums))

    def first_layer(self, values: Floats, weights: Floats, offset: Floats, output: Bytes) -> None:
        """Compute a convolution of 3 by 3 with one input and 32 output channels, rounded to 0 to 255.

        Args:
            values: with a border of one, shape (times + 2, bands + 2).
            weights: shape (9, 32), the times of the first band first.
            offset: shape (32,).
            output: shape (bands + 2, times + 2, 32); its border stays as it is.
        """
        times, bands = values.shape[0] - 2, values.shape[1] - 2
        self._functions.parley_first_layer(
            _address(values), _LONG(times), _LONG(bands), _address(weights), _address(offset),
            _address(output[1:, 1:]), _LONG(output.strides[0]),
        )  # fmt: skip

    def filters(self, samples: Floats, symmetric: Floats, antisymmetric: Floats, outputs: Floats) -> None:
        """Compute the outputs of 80 filters of 251 samples, every 10 samples.

        Args:
            samples: shape (10 * outputs + 241,).
            symmetric: first half and middle of 40 of them, shape (126, FILTER_COLUMNS).
            antisymmetric: first half of the others, shape (125, FILTER_COLUMNS).
            outputs: gets the result, shape (outputs, 80), eight or more.
        """
        self._functions.parley_filters(
            _address(samples), _LONG(len(outputs)), _address(symmetric), _address(antisymmetric), _address(outputs)
        )

    def pool(self, outputs: Floats, shift: Floats, gain: float, pooled: Floats) -> None:
        """Put the greatest magnitude of three outputs plus shift, times gain, into `pooled`, shape (any, 80)."""
        number = _LONG(len(pooled))
        self._functions.parley_pool(_address(outputs), number, _address(shift), ctypes.c_float(gain), _address(pooled))

    def normalised(self, values: Floats, weight: Floats, offset: Floats) -> None:
        """Normalise each column to mean 0 and variance 1, times weight, plus offset; a leaky rectifier follows.

        Args:
            values: get the result, shape (rows, columns), 80 columns at most.
            weight: shape (columns,).
            offset: shape (columns,).
        """
        rows, columns = values.shape
        self._functions.parley_normalised(
            _address(values), _LONG(rows), _LONG(columns), _address(weight), _address(offset)
        )

    def convolved(self, values: Floats, weights: Floats, offset: Floats, output: Floats) -> None:
        """Convolve over five rows, and take the greatest of each three results.

        Args:
            values: shape (3 * outputs + 4 or more, columns).
            weights: shape (5 * columns, 64), the last four columns zero.
            offset: shape (60,).
            output: gets the result, shape (outputs, 60).
        """
        outputs, columns = len(output), values.shape[1]
        self._functions.parley_convolved(
            _address(values), _LONG(outputs), _LONG(columns), _address(weights), _address(offset), _address(output)
        )

    def recurrent(self, weights: NDArray[np.int8], scale: Floats) -> Recurrence:
        """Return one direction of a layer of an LSTM with 128 units.

        Args:
            weights: of its own outputs, shape (128, 512), gates in the order input, output, forget, cell.
            scale: of the weights, shape (512,).
        """
        start = self._start(weights[None]) - 128 * weights.sum(axis=0, dtype=np.int32)  # a byte of 128 means zero
        block = int(self._functions.parley_recurrent_block())
        return Recurrence(
            self._functions, self._packed(weights[None], block), start, np.asarray(scale / 127, np.float32)
        )

    def _packed(self, weights: NDArray[np.int8], block: int) -> NDArray[Any]:
        """Return weights in the order in which they are read: block of columns, depth, column, place in a sum."""
        taps, depth, columns = weights.shape
        if taps * depth > _ROW_BYTES or taps > _TAPS:
            raise ValueError(f"a row has {taps * depth} bytes in {taps} taps; {_ROW_BYTES} and {_TAPS} are the most")
        parts = weights.reshape(taps * depth // self._depth, self._depth, columns // block, block)
        kind = np.int8 if self._depth == 4 else np.int16  # four bytes, or two of 16 bits, in 32 bits
        return np.ascontiguousarray(parts.transpose(2, 0, 3, 1), kind)

    def _start(self, weights: NDArray[np.int8]) -> NDArray[np.int32]:
        """Return what sums begin with: what is missing where activations are 128 less."""
        return np.asarray(weights.sum(axis=(0, 1), dtype=np.int32) * (128 if self._signed else 0), np.int32)


@dataclass(frozen=True, slots=True)
class Plane:
    """Where a layer reads or writes inside an array: `outer` times rows at equal distances, in elements.

    Attributes:
        array: of bytes or floats.
        first: element at which the first row begins.
        outer: distance of the groups of rows.
        row: distance of rows.
    """

    array: Bytes | Floats
    first: int
    outer: int
    row: int

    @property
    def address(self) -> int:
        """Where the first row begins in memory."""
        return self.array.ctypes.data + self.first * self.array.itemsize


@dataclass(frozen=True, slots=True)
class Residual:
    """Bytes that are added to the output of a layer, in the places of the output: (byte - zero) * scale."""

    plane: Plane
    scale: float
    zero: float


class Layer:
    """A layer of 8-bit weights; see Library.layer."""

    def __init__(
        self,
        functions: ctypes.CDLL,
        packed: NDArray[Any],
        start: NDArray[np.int32],
        shape: tuple[int, ...],
        scale: Floats,
        offset: Floats,
    ) -> None:
        self._functions = functions
        self._arrays = packed, start, np.ascontiguousarray(scale), np.ascontiguousarray(offset)
        self._shape = shape
        self.columns = shape[2]

    def scaled(self, scale: Floats, offset: Floats) -> Layer:
        """Return the same layer with another scale and offset."""
        packed, start, _, _ = self._arrays
        return Layer(self._functions, packed, start, self._shape, scale, offset)

    def run(
        self,
        source: Plane,
        taps: Sequence[int],
        output: Plane,
        size: tuple[int, int],
        residual: Residual | None = None,
        gate: Floats | None = None,
    ) -> None:
        """Compute `size` (groups, rows) of the output: floats, or bytes rounded to 0 to 255.

        Args:
            source: bytes.
            taps: where the bytes of each tap begin, from the beginning of a row.
            output: gets the result.
            size: groups of rows, and rows of each.
            residual: is added.
            gate: the result is multiplied by, shape (rows / SEGMENT, columns); for one group.
        """
        places = np.asarray(taps, np.int64)
        tap_count, depth, columns = self._shape
        to_bytes = output.array.dtype == np.uint8
        argument = _Product(
            source.address, *size, source.outer, source.row, places.ctypes.data, tap_count, depth, columns,
            *(array.ctypes.data for array in self._arrays),
            residual.plane.address if residual else None,
            residual.scale if residual else 0.0, residual.zero if residual else 0.0,
            gate.ctypes.data if gate is not None else None,
            output.address if to_bytes else None, None if to_bytes else output.address,
            output.outer, output.row,
        )  # fmt: skip
        self._functions.parley_product(ctypes.byref(argument))


class Recurrence:
    """One direction of a layer of an LSTM; see Library.recurrent."""

    def __init__(self, functions: ctypes.CDLL, weights: NDArray[Any], start: NDArray[np.int32], scale: Floats) -> None:
        self._functions = functions
        self._weights, self._start, self._scale = weights, np.ascontiguousarray(start), scale

    def run(self, gates: Floats, backwards: bool, output: Bytes, floats: Floats | None = None) -> None:
        """Compute the outputs for one or two recordings side by side.

        Args:
            gates: what the inputs contribute, shape (times, recordings, 2, 512); the direction's half counts.
            backwards: whether time runs backwards; then the second half of `gates` and of the output belongs to it.
            output: gets the result times 127 plus 128, shape (times, recordings, 2, 128).
            floats: gets the result as well, if given.
        """
        times, recordings, _, _ = gates.shape
        half = int(backwards)
        self._functions.parley_lstm(
            _address(gates[:, :, half:]), _LONG(times), _LONG(recordings), _address(self._weights),
            _address(self._start), _address(self._scale), _LONG(half), _address(output[:, :, half:]),
            None if floats is None else _address(floats[:, :, half:]),
        )  # fmt: skip


def compiled(machine: str, instructions: frozenset[str]) -> Library | None:
    """Return the fastest library for a processor; None where none was compiled for it.

    Args:
        machine: kind of processor, as `platform.machine()` names it.
        instructions: that it has, as Linux names them.
    """
    for variant in VARIANTS:
        if machine.lower() in variant.machines and variant.instructions <= instructions:
            try:
                return Library(variant)
            except OSError:  # not compiled here: the next one may be
                continue
    return None


def _address(array: NDArray[Any]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
