"""The filters of the segmentation model, which the released model computes from their frequencies at each start.

engines/onnx/filter_bank.py computes it once per moment of a recording.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from parley_worker.engines.onnx import models
from parley_worker.engines.onnx.grid import WINDOW

GAIN, OFFSET = "sincnet.wav_norm1d.weight", "sincnet.wav_norm1d.bias"  # of a window at variance one
RELEASED_FILTERS = "/sincnet/conv1d.0/Concat_2_output_0"  # (80, 1, 251)


def filters(released: Path) -> NDArray[np.float32]:
    """Return the filters that the released model computes, first the symmetric half, shape (80, 251)."""
    session = models.open_session(models.with_outputs(released.read_bytes(), [RELEASED_FILTERS]), threads=1)
    silence = np.zeros((1, 1, WINDOW), np.float32)
    return np.asarray(session.run([RELEASED_FILTERS], {"x": silence})[0][:, 0])
