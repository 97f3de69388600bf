"""What evidence is worth, by `python -m benchmarks.confidence` from 2,968 turns."""

from parley_worker.engines.onnx.confidence import Calibration

FITTED = Calibration(
    offset=-5.3441,
    weights=(0.6214, 1.5887, 4.5887, 0.0349),
    review_below=0.6,
)
