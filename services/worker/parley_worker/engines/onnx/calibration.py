"""Weights of the evidence, fitted by `python -m benchmarks.tuning.confidence` on 4,976 turns."""

from parley_worker.engines.onnx.confidence import Calibration

FITTED = Calibration(
    offset=-6.1188,
    weights=(0.4643, 3.2926, 4.7076, 0.4168),
    review_below=0.71,
)
