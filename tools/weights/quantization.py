"""Scales of eight bits for the wide layers of the trunk.

Other layers stay in 32 bits: the small layers of the gates run once in two seconds and the first layer has one channel,
so they gain nothing.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import soundfile
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from parley_worker.engines.onnx.features import FRAME, HOP, log_mel

SECONDS = 20  # of each part that calibrates; 2,000 features are ten segments
NOISE = 0.01  # root mean square of the noise that is added to a second copy of each part
FIRST_LAYER = "/head/conv1/Conv"


def quantized_trunk(trunk: onnx.ModelProto, conversation: Path) -> bytes:
    """Return the trunk with its wide layers in 8 bits, with scales from their outputs for a conversation."""
    with tempfile.TemporaryDirectory() as folder:
        names = ("released.onnx", "prepared.onnx", "quantized.onnx")
        released, prepared, quantized = (str(Path(folder) / name) for name in names)
        onnx.save(trunk, released)
        quant_pre_process(released, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            quantized,
            _Calibration(conversation),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=_narrow_layers(onnx.load(prepared)),
        )
        return Path(quantized).read_bytes()


def _narrow_layers(model: onnx.ModelProto) -> list[str]:
    names = [node.name for node in model.graph.node if node.op_type == "Conv"]
    return [name for name in names if name == FIRST_LAYER or name.endswith(("cam_layer/linear1/Conv", "linear2/Conv"))]


class _Calibration(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """Features of parts of a conversation, without and with noise."""

    def __init__(self, conversation: Path) -> None:
        samples, rate = soundfile.read(conversation, dtype="float32")
        self._features = _features(np.asarray(samples), SECONDS * rate)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        features = next(self._features, None)
        return None if features is None else {"feats": (features - features.mean(axis=0))[None]}


def _features(samples: NDArray[np.float32], length: int) -> Iterator[NDArray[np.float32]]:
    noise = np.random.default_rng(0).normal(0, NOISE, len(samples)).astype(np.float32)
    for start in range(0, len(samples) - length - FRAME, length):
        part = slice(start, start + length + FRAME - HOP)
        yield log_mel(samples[part])
        yield log_mel(samples[part] + noise[part])


logging.getLogger().setLevel(logging.ERROR)  # onnxruntime recommends the preprocessing that is done here
