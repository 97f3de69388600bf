"""The `onnx` engine: two neural models on onnxruntime, the rest numpy and scipy."""

from parley_worker.engines.onnx.engine import OnnxEngine, exact_engine

__all__ = ["OnnxEngine", "exact_engine"]
