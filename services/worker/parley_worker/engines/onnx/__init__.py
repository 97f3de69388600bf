"""The `onnx` engine: two neural models on onnxruntime, the rest numpy and scipy."""

import os

# onnxruntime tells its makers of use, and writes a machine id to the temporary folder, unless told off before it loads.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

from parley_worker.engines.onnx.engine import OnnxEngine, careful, fast

__all__ = ["OnnxEngine", "careful", "fast"]
