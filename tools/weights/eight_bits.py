"""Weights and activations in eight bits where most of the time goes: the trunk's wide layers, segmentation's LSTM.

The trunk takes 2.6 times less processor time for it, the LSTM 2.5 times, and errors stay what they were
(docs/engine.md). The gates' small layers run once in two seconds, and the first layer has one channel: they gain
nothing and stay as they are. So does segmentation's filter bank: eight bits of a waveform would lose quiet speakers.
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
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from parley_worker.engines.onnx.features import FRAME, HOP, log_mel

SECONDS = 20  # of each recording that calibrates; 2,000 features are ten segments
NOISE = 0.01  # root mean square of what is added to a second copy: not every room is a studio
FIRST = "/head/conv1/Conv"


def trunk_in_eight_bits(trunk: onnx.ModelProto, conversation: Path) -> bytes:
    """Return the trunk with its wide layers in eight bits, scaled to what they give for a conversation."""
    with tempfile.TemporaryDirectory() as folder:
        whole, simple, small = (str(Path(folder) / name) for name in ("whole.onnx", "simple.onnx", "small.onnx"))
        onnx.save(trunk, whole)
        quant_pre_process(whole, simple, skip_symbolic_shape=True)
        quantize_static(
            simple,
            small,
            _Calibration(conversation),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=_narrow(onnx.load(simple)),
        )
        return Path(small).read_bytes()


def lstm_in_eight_bits(segmentation: Path) -> bytes:
    """Return segmentation with its LSTM's weights in eight bits; its activations are scaled as they come."""
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small.onnx"
        quantize_dynamic(str(segmentation), str(small), weight_type=QuantType.QInt8, op_types_to_quantize=["LSTM"])
        return small.read_bytes()


def _narrow(model: onnx.ModelProto) -> list[str]:
    names = [node.name for node in model.graph.node if node.op_type == "Conv"]
    return [name for name in names if name == FIRST or name.endswith(("cam_layer/linear1/Conv", "linear2/Conv"))]


class _Calibration(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """Features of stretches of a conversation, as it is and with noise."""

    def __init__(self, conversation: Path) -> None:
        sound, rate = soundfile.read(conversation, dtype="float32")
        self._features = _stretches(np.asarray(sound), SECONDS * rate)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        features = next(self._features, None)
        return None if features is None else {"feats": (features - features.mean(axis=0))[None]}


def _stretches(sound: NDArray[np.float32], samples: int) -> Iterator[NDArray[np.float32]]:
    noise = np.random.default_rng(0).normal(0, NOISE, len(sound)).astype(np.float32)
    for start in range(0, len(sound) - samples - FRAME, samples):
        part = slice(start, start + samples + FRAME - HOP)
        yield log_mel(sound[part])
        yield log_mel(sound[part] + noise[part])


logging.getLogger().setLevel(logging.ERROR)  # onnxruntime advises to do what is done here
