"""Peaks of a waveform, read as audiowaveform's format says."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from numpy.typing import NDArray

from parley_core.recording import peaks_key, result_key
from parley_worker.attempt.attempt import run_attempt
from parley_worker.attempt.peaks import MAX_PAIRS, peaks_of
from tests.support.attempts import AttemptFixture


def read(file: bytes) -> tuple[tuple[int, ...], NDArray[np.int8]]:
    """Return the header and the pairs, shape (parts, 2)."""
    return struct.unpack("<iIiiIi", file[:24]), np.frombuffer(file[24:], np.int8).reshape(-1, 2)


def test_each_pair_holds_every_sample_of_its_part() -> None:
    waveform = np.random.default_rng(0).uniform(-1, 1, 16_123).astype(np.float32)
    header, pairs = read(peaks_of(waveform))
    assert header == (2, 1, 16_000, 160, 101, 1)
    for number, (low, high) in enumerate(pairs):
        part = waveform[160 * number : 160 * (number + 1)] * 127
        assert low <= part.min() < low + 1
        assert high - 1 < part.max() <= high


@pytest.mark.parametrize("samples", [0, 1, 159, 160, 161])
def test_short_waveforms_lose_nothing(samples: int) -> None:
    header, pairs = read(peaks_of(np.full(samples, 0.5, np.float32)))
    assert header[4] == len(pairs) == -(-samples // 160)


def test_a_long_recording_has_no_more_pairs() -> None:
    header, pairs = read(peaks_of(np.zeros(MAX_PAIRS * 161, np.float32)))
    assert (header[3], len(pairs)) == (161, MAX_PAIRS)


def test_full_scale_fits_into_eight_bits() -> None:
    _, pairs = read(peaks_of(np.array([-1.0, 1.0], np.float32)))
    assert pairs.tolist() == [[-127, 127]]


def test_an_attempt_stores_them_beside_its_result(fixture: AttemptFixture) -> None:
    run_attempt(fixture.job_id, fixture.deps)
    stored = fixture.recordings.read(peaks_key(result_key(fixture.job_id, fixture.job().nonce)))
    assert read(stored)[0][4] == 100
