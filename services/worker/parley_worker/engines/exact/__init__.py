"""The `onnx-exact` engine: pyannote.audio's algorithm step by step, to hold the default engine against."""

from parley_worker.engines.exact.engine import ExactEngine

__all__ = ["ExactEngine"]
