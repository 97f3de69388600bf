"""The `onnx` engine: two neural networks, on arithmetic of our own or on onnxruntime; everything else in numpy."""

import os

# onnxruntime sends telemetry and writes a machine id to the temporary folder unless this is set before it loads.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

from parley_worker.engines.onnx.engine import OnnxEngine, careful, fast

__all__ = ["OnnxEngine", "careful", "fast"]
