"""Kaldi's features and the time grid: values that can be computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from parley_worker.engines.onnx import grid
from parley_worker.engines.onnx.features import BANDS, CHUNK, FRAME, HOP, feature_count, log_mel
from parley_worker.engines.onnx.segmentation import POWERSET

FLOOR = np.log(np.finfo(np.float32).eps)


@pytest.mark.parametrize(("samples", "frames"), [(0, 0), (399, 0), (400, 1), (559, 1), (560, 2), (160_000, 998)])
def test_only_whole_frames_count(samples: int, frames: int) -> None:
    assert feature_count(samples) == frames
    assert log_mel(np.zeros(samples, np.float32)).shape == (frames, BANDS)


def test_silence_is_the_floor() -> None:
    np.testing.assert_allclose(log_mel(np.zeros(1600, np.float32)), FLOOR)


def test_a_constant_offset_changes_nothing() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 4000).astype(np.float32)
    np.testing.assert_allclose(log_mel(noise), log_mel(noise + 0.25), atol=0.02)


def test_half_the_level_is_log_four_less_in_every_band() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 4000).astype(np.float32)
    np.testing.assert_allclose(log_mel(noise) - log_mel(noise / 2), np.log(4), atol=1e-3)


@pytest.mark.parametrize("hertz", [200, 1000, 3000, 6000])
def test_a_tone_is_loudest_in_the_band_of_its_pitch(hertz: float) -> None:
    tone = np.sin(2 * np.pi * hertz * np.arange(8000) / grid.SAMPLE_RATE).astype(np.float32) * 0.3
    edges = np.linspace(1127 * np.log1p(20 / 700), 1127 * np.log1p(8000 / 700), BANDS + 2)
    expected = np.abs(edges[1:-1] - 1127 * np.log1p(hertz / 700)).argmin()
    assert abs(int(log_mel(tone).mean(axis=0).argmax()) - int(expected)) <= 1


@pytest.mark.parametrize("first", [10, CHUNK - 1, CHUNK])
def test_a_frame_depends_on_its_own_samples_only(first: int) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, (CHUNK + 2) * HOP + FRAME).astype(np.float32)
    alone = log_mel(noise[first * HOP : (first + 1) * HOP + FRAME])
    np.testing.assert_allclose(log_mel(noise)[first : first + 2], alone, atol=1e-5)


@pytest.mark.parametrize("step", [grid.SAMPLE_RATE, 5 * grid.SAMPLE_RATE])
@pytest.mark.parametrize("samples", [1, 160_000, 160_001, 240_000, 250_000, 16_000 * 61])
def test_windows_cover_a_recording_and_each_is_needed(samples: int, step: int) -> None:
    windows = grid.window_count(samples, step)
    assert (windows - 1) * step + grid.WINDOW >= samples
    assert windows == 1 or (windows - 2) * step + grid.WINDOW < samples


def test_frames_have_the_times_of_the_models_receptive_fields() -> None:
    """The first frame covers samples 0 to 990; window starts round to the nearest frame."""
    assert grid.frame_seconds(np.array([0]))[0] == pytest.approx(0.030969, abs=1e-6)
    starts = np.arange(500) * grid.SAMPLE_RATE
    assert np.abs(grid.first_frames(500, grid.SAMPLE_RATE) * grid.FRAME_HOP - starts).max() <= grid.FRAME_HOP / 2


def test_a_window_past_the_end_is_filled_with_silence() -> None:
    ones = np.ones(10, np.float32)
    assert grid.padded(ones, 8, 12).tolist() == [1, 1, 0, 0]
    assert grid.padded(ones, 2, 4).tolist() == [1, 1]


def test_the_powerset_is_all_sets_of_up_to_two_of_three_speakers() -> None:
    assert POWERSET.sum(axis=1).tolist() == [0, 1, 1, 1, 2, 2, 2]
    assert len({tuple(row) for row in POWERSET.tolist()}) == 7
