"""The segmentation model without its first layer, which engines/onnx/filter_bank.py computes once per moment.

The input is the output of the first layer after pooling. The filters, which the released model computes from their
frequencies at each start, and the parameters of the normalisation before them become outputs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from parley_worker.engines.onnx import models
from parley_worker.engines.onnx.filter_bank import CHANNELS, POOLED, TAPS
from parley_worker.engines.onnx.grid import FRAMES, WINDOW
from parley_worker.engines.onnx.segmentation import POWERSET
from tools.weights.trunk import fill, leading_to

FILTERS = "sincnet.filters"  # (80, 251): first the symmetric half
GAIN, OFFSET = "sincnet.wav_norm1d.weight", "sincnet.wav_norm1d.bias"  # of a window at variance one
INPUT = "filtered"  # (windows, 80, POOLED)
RELEASED_FILTERS = "/sincnet/conv1d.0/Concat_2_output_0"  # (80, 1, 251)
RELEASED_INPUT = "/sincnet/pool1d.0/MaxPool_output_0"  # (windows, 80, 5325)


def split_segmentation(released: Path) -> onnx.ModelProto:
    """Return the model from INPUT (windows, 80, 5325) to `y` (windows, 589, 7), with FILTERS, GAIN and OFFSET."""
    model = onnx.load(released)
    graph = model.graph
    nodes = leading_to({"y"}, [node for node in graph.node if RELEASED_INPUT not in node.output])
    for node in nodes:
        node.input[:] = [INPUT if name == RELEASED_INPUT else name for name in node.input]
    outputs = {FILTERS: [CHANNELS, TAPS], GAIN: [1], OFFSET: [1], "y": ["windows", FRAMES, len(POWERSET)]}
    needed = {name for node in nodes for name in node.input} | {GAIN, OFFSET}
    tensors = [tensor for tensor in graph.initializer if tensor.name in needed]
    tensors.append(numpy_helper.from_array(_filters(released), FILTERS))
    fill(graph.node, nodes)
    fill(graph.initializer, tensors)
    fill(graph.input, [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["windows", CHANNELS, POOLED])])
    fill(graph.output, [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name, dims in outputs.items()])
    fill(graph.value_info, [])
    onnx.checker.check_model(model)
    return model


def _filters(released: Path) -> NDArray[np.float32]:
    """Return the filters that the released model computes, shape (80, 251)."""
    session = models.open_session(models.with_outputs(released.read_bytes(), [RELEASED_FILTERS]), threads=1)
    silence = np.zeros((1, 1, WINDOW), np.float32)
    return np.asarray(session.run([RELEASED_FILTERS], {"x": silence})[0][:, 0])
