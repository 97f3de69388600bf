"""Weights of the evidence, fitted by `python -m benchmarks.tuning.confidence` on 3,741 turns."""

from parley_worker.engines.onnx.confidence import Calibration

FITTED = Calibration(
    offset=-6.0241,
    weights=(0.4523, 2.914, 4.9833, 0.1835),
    review_below=0.69,
)
