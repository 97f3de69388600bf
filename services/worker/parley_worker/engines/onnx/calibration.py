"""Weights of the evidence, fitted by `python -m benchmarks.tuning.confidence` on 2,968 turns."""

from parley_worker.engines.onnx.confidence import Calibration

FITTED = Calibration(
    offset=-5.3441,
    weights=(0.6214, 1.5887, 4.5887, 0.0349),
    review_below=0.6,
)
