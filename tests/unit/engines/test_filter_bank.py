"""The shared filter bank: it gives the released model's first layer, from wherever the work begins."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from parley_worker.engines.onnx import filter_bank, grid, models
from parley_worker.engines.onnx.filter_bank import FilterBank, FilteredRecording
from parley_worker.engines.onnx.integer_segmentation import IntegerSegmentation
from tests.support import arithmetic

FIRST_LAYER = "/sincnet/pool1d.0/MaxPool_output_0"
STEP = 5 * grid.SAMPLE_RATE


@pytest.fixture(scope="module")
def bank() -> FilterBank:
    return IntegerSegmentation(arithmetic.fastest(), models.read_arrays(models.SEGMENTATION_INT8)).filters


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 0.0), (1e-3, 0.0), (1.0, 0.1)], ids=["plain", "quiet", "offset"])
def test_each_window_has_the_first_layer_of_the_released_model(
    bank: FilterBank, conversation: NDArray[np.float32], gain: float, offset: float
) -> None:
    waveform = conversation[: 13 * grid.SAMPLE_RATE] * np.float32(gain) + np.float32(offset)
    released = models.open_session(models.with_outputs(models.read_model(models.SEGMENTATION), [FIRST_LAYER]), 1)
    audio = np.stack([grid.padded(waveform, start, start + grid.WINDOW) for start in (0, STEP)])
    expected = released.run([FIRST_LAYER], {"x": audio[:, None]})[0]
    found = FilteredRecording(bank, waveform, STEP, batch=2).windows(range(0, 2 * STEP, STEP))
    np.testing.assert_allclose(found.swapaxes(1, 2), expected, atol=1e-4 * expected.max())


@pytest.mark.parametrize("step", [9 * grid.SAMPLE_RATE, STEP])
def test_a_window_is_the_same_wherever_the_work_begins(
    bank: FilterBank, conversation: NDArray[np.float32], step: int
) -> None:
    begun = FilteredRecording(bank, conversation, step, batch=2)
    begun.windows(range(0, 2 * step, step))
    continued = FilteredRecording(bank, conversation, step, batch=2)
    starts = range(2 * step, 4 * step, step)
    windows = begun.windows(starts)
    assert windows.shape == (2, filter_bank.POOLED, filter_bank.CHANNELS)
    np.testing.assert_array_equal(windows, continued.windows(starts))
