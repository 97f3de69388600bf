"""What evidence is worth, by `python -m tests.bench.confidence` from 1,939 turns."""

from parley_worker.engines.onnx.confidence import Calibration

FITTED = Calibration(
    offset=-6.3653,
    weights=(0.7617, 3.3873, 2.1958, 1.0633),
    review_below=0.71,
)
