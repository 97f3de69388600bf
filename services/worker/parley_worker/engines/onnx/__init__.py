"""The `onnx` engine: two neural models on onnxruntime, the rest numpy and scipy."""

from parley_worker.engines.onnx.engine import OnnxEngine

__all__ = ["OnnxEngine"]
