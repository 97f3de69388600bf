"""The 8-bit models as the arrays that engines/onnx/integer_trunk.py and integer_segmentation.py multiply.

Each layer's sums get one scale and one offset per column, in which the scales of weights and activations, the bias and
the scale of the next layer's bytes are joined. Rectifiers need no pass of their own then: bytes are never negative.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, numpy_helper

from parley_worker.engines.onnx.arithmetic.library import SEGMENT
from parley_worker.engines.onnx.integer_segmentation import LINEAR
from parley_worker.engines.onnx.integer_trunk import CHANNELS, DENSE_BLOCKS, RESIDUAL_BLOCKS
from tools.weights.segmentation import GAIN, OFFSET, filters
from tools.weights.trunk import HEAD

Array = NDArray[np.generic]

CONVOLVED_COLUMNS = 64  # 60, and zeros
FIRST_OVER_TIME = "xvector/tdnn/linear"


class _Convolution(NamedTuple):
    """A convolution: weights, in 8 bits or as they are; their scales; bias; scale of the input; scale of the output."""

    weights: Array
    scales: NDArray[np.float64]
    bias: NDArray[np.float64]
    input_scale: float
    output: tuple[float, float]


def packed_trunk(quantized: bytes) -> bytes:
    """Return the arrays of a quantized trunk as an NPZ file.

    Args:
        quantized: the ONNX model that `quantized_trunk` makes.
    """
    graph = onnx.load_from_string(quantized).graph
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    made_by = {name: node for node in graph.node for name in node.output}
    read_by = {name: node for node in reversed(graph.node) for name in node.input}
    convolutions = {}
    normalisations = {}
    for node in graph.node:
        name = node.name.strip("/")
        if node.op_type == "Conv":
            convolutions[name.removesuffix("/Conv")] = _convolution(node, tensors, made_by, read_by)
        elif node.op_type == "BatchNormalization":
            normalisations[name.removesuffix("/batchnorm/BatchNormalization")] = _normalisation(node, tensors)
    arrays = dict(_residual_part(convolutions)) | dict(_dense_part(convolutions, normalisations))
    arrays |= dict(zip(("head.weight", "head.mean", "head.variance"), (tensors[name] for name in HEAD), strict=True))
    return _file(arrays)


def packed_segmentation(released: Path) -> bytes:
    """Return the arrays of the segmentation model as an NPZ file, the weights of its LSTM in 8 bits.

    Each column of an LSTM's weights, those of one gate of one unit, has a scale of its own.

    Args:
        released: the ONNX model as it was released.
    """
    graph = onnx.load(released).graph
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    arrays = {"filters": filters(released), "gain": tensors[GAIN][0], "offset": tensors[OFFSET][0]}
    for number in range(3):
        arrays[f"norm{number}.weight"] = tensors[f"sincnet.norm1d.{number}.weight"]
        arrays[f"norm{number}.offset"] = tensors[f"sincnet.norm1d.{number}.bias"]
    for number in (1, 2):
        weights = tensors[f"sincnet.conv1d.{number}.weight"]
        columns = weights.transpose(2, 1, 0).reshape(-1, len(weights))
        arrays[f"conv{number}.weights"] = _single(np.pad(columns, ((0, 0), (0, CONVOLVED_COLUMNS - len(weights)))))
        arrays[f"conv{number}.offset"] = tensors[f"sincnet.conv1d.{number}.bias"]
    lstms = [node for node in graph.node if node.op_type == "LSTM"]
    for number, node in enumerate(lstms):
        arrays |= _lstm_layer(f"lstm{number}", [tensors[name] for name in node.input[1:4]], number == 0)
    products = {node.name: node.input[1] for node in graph.node if node.op_type == "MatMul"}
    for name in LINEAR:
        arrays |= {f"{name}.weight": tensors[products[f"/{name}/MatMul"]], f"{name}.offset": tensors[f"{name}.bias"]}
    return _file(arrays)


def _lstm_layer(name: str, tensors: list[Array], first: bool) -> dict[str, Array]:
    """Return a layer's arrays. The activations of all layers but the first are outputs: times 127, plus 128."""
    weights, recurrent, bias = (tensor.astype(np.float64) for tensor in tensors)
    bytes_, scale = _in_bytes(np.concatenate(list(weights)).T)  # (inputs, both directions' gates)
    offset = bias.reshape(2, 2, -1).sum(axis=1).ravel()  # of the inputs' and of the outputs' products
    if not first:
        scale /= 127
        offset -= 128 * scale * bytes_.sum(axis=0, dtype=np.int64)
    own = [_in_bytes(direction.T) for direction in recurrent]
    return {
        f"{name}.input.weights": bytes_[None],
        f"{name}.input.scale": _single(scale),
        f"{name}.input.offset": _single(offset),
        f"{name}.recurrent.weights": np.stack([one for one, _ in own]),
        f"{name}.recurrent.scale": _single([scales for _, scales in own]),
    }


def _in_bytes(weights: NDArray[np.float64]) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """Return weights as signed bytes, and the scale of each column."""
    scale = np.abs(weights).max(axis=0) / 127
    return np.ascontiguousarray(np.rint(weights / scale), np.int8), scale


def _convolution(
    node: NodeProto, tensors: Mapping[str, Array], made_by: Mapping[str, NodeProto], read_by: Mapping[str, NodeProto]
) -> _Convolution:
    weights = made_by.get(node.input[1])
    if weights is None:  # as released
        bias = tensors[node.input[2]] if len(node.input) > 2 else np.zeros(1)  # the bias comes third
        return _Convolution(tensors[node.input[1]], np.ones(1), bias.astype(np.float64), 1.0, (1.0, 0.0))
    values = tensors[weights.input[0]]
    bias = np.zeros(len(values))
    if len(node.input) > 2:
        whole = made_by[node.input[2]]
        bias = tensors[whole.input[0]].astype(np.float64) * tensors[whole.input[1]].astype(np.float64)
    after = read_by[node.output[0]]
    output = float(tensors[after.input[1]]), float(tensors[after.input[2]])
    scales = tensors[weights.input[1]].astype(np.float64)
    return _Convolution(values, scales, bias, float(tensors[made_by[node.input[0]].input[1]]), output)


def _normalisation(node: NodeProto, tensors: Mapping[str, Array]) -> tuple[Array, Array]:
    """Return scale and offset of a batch normalisation."""
    gain, offset, mean, variance = (tensors[name].astype(np.float64) for name in node.input[1:])
    epsilon = next(attribute.f for attribute in node.attribute if attribute.name == "epsilon")
    scale = gain / np.sqrt(variance + epsilon)
    return scale, offset - mean * scale


def _residual_part(convolutions: Mapping[str, _Convolution]) -> Iterator[tuple[str, Array]]:
    first = convolutions["head/conv1"]
    after = convolutions[f"head/layer1/{RESIDUAL_BLOCKS[0][0]}/conv1"].input_scale
    yield "first.weights", _single(first.weights.reshape(CHANNELS, -1).T / after)
    yield "first.offset", _single(first.bias / after)
    names = [f"head/{name.partition('.')[0]}/{name}" for name, _ in RESIDUAL_BLOCKS]
    inputs = [convolutions[f"{name}/conv1"].input_scale for name in names] + [convolutions["head/conv2"].input_scale]
    for number, (name, stride) in enumerate(RESIDUAL_BLOCKS):
        one, two = (convolutions[f"{names[number]}/conv{part}"] for part in (1, 2))
        yield from _layer(f"{name}.conv1", one, _over_bands(one), two.input_scale)
        yield from _layer(f"{name}.conv2", two, _over_bands(two), inputs[number + 1])
        skipped = inputs[number], 0.0
        if stride > 1:
            shortcut = convolutions[f"{names[number]}/shortcut/shortcut.0"]
            skipped = shortcut.output
            yield from _layer(f"{name}.shortcut", shortcut, _over_bands(shortcut), *skipped)
        yield f"{name}.residual", _single([skipped[0] / inputs[number + 1], skipped[1]])
    last = convolutions["head/conv2"]
    yield from _layer("conv2", last, _over_bands(last), convolutions[FIRST_OVER_TIME].input_scale)


def _dense_part(
    convolutions: Mapping[str, _Convolution], normalisations: Mapping[str, tuple[Array, Array]]
) -> Iterator[tuple[str, Array]]:
    first = convolutions[FIRST_OVER_TIME]
    columns, channels, taps = first.weights.shape
    bands = first.weights.reshape(columns, CHANNELS, channels // CHANNELS, taps).transpose(3, 2, 1, 0)
    yield from _layer("tdnn", first, bands.reshape(-1, CHANNELS, columns))
    for block, (layers, _) in enumerate(DENSE_BLOCKS, 1):
        for number in range(1, layers + 1):
            place, name = f"xvector/block{block}/tdnnd{number}", f"block{block}.{number}"
            inner, local = convolutions[f"{place}/linear1"], convolutions[f"{place}/cam_layer/linear_local"]
            yield _rectifier(name, normalisations[f"{place}/nonlinear1"], inner)
            yield from _layer(f"{name}.inner", inner, inner.weights.transpose(2, 1, 0), local.input_scale)
            yield from _layer(f"{name}.local", local, local.weights.transpose(2, 1, 0))
            yield f"{name}.mean_scale", _single(local.input_scale / SEGMENT)
            for part in (1, 2):
                gate = convolutions[f"{place}/cam_layer/linear{part}"]
                yield f"{name}.gate{part}", _single(np.vstack([gate.weights[:, :, 0].T, gate.bias]))
        transit = convolutions[f"xvector/transit{block}/linear"]
        yield _rectifier(f"transit{block}", normalisations[f"xvector/transit{block}/nonlinear"], transit)
        yield from _layer(f"transit{block}", transit, transit.weights.transpose(2, 1, 0))


def _over_bands(convolution: _Convolution) -> Array:
    """Return weights over bands and time as taps, the times of the first band first."""
    return convolution.weights.transpose(2, 3, 1, 0).reshape(-1, CHANNELS, CHANNELS)


def _layer(
    name: str, convolution: _Convolution, weights: Array, scale: float = 1.0, zero: float = 0.0
) -> Iterator[tuple[str, Array]]:
    """Yield a layer whose output has a scale, and a byte that means zero."""
    yield f"{name}.weights", np.ascontiguousarray(weights)
    yield f"{name}.scale", _single(convolution.input_scale * convolution.scales / scale)
    yield f"{name}.offset", _single(convolution.bias / scale + zero)


def _rectifier(name: str, normalisation: tuple[Array, Array], before: _Convolution) -> tuple[str, Array]:
    return f"{name}.rectifier", _single(np.stack(normalisation) / before.input_scale)


def _single(values: Any) -> NDArray[np.float32]:
    return np.ascontiguousarray(values, np.float32)


def _file(arrays: Mapping[str, Array]) -> bytes:
    """Return arrays as an NPZ file."""
    file = BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()
