"""The voices of turns: their products are cosine similarities, and they can be compared with nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from parley_core.turn_voices import PER_SECOND, STEPS, TurnVoices
from parley_core.turns import Turn
from parley_worker.engines.onnx.trunk import DIMENSION
from parley_worker.engines.onnx.voices import turn_voices

TURNS = (Turn(0, 2, "A"), Turn(2, 4, "B"), Turn(3.5, 6, "A"), Turn(7, 7.1, "B"))


def frames() -> np.ndarray:
    """Return embedding frames of 7 s: the first voice until 2 s and from 4 s, the second one between; then silence."""
    people = np.linalg.qr(np.random.default_rng(4).normal(size=(DIMENSION, 2)))[0].T
    found = np.zeros((72, DIMENSION), np.float16)
    found[:70] = people[0]
    found[20:40] = people[1]
    return found


def test_products_of_voices_are_similarities_and_overlaps_are_left_out() -> None:
    voices = turn_voices(TURNS, frames())
    vectors = np.frombuffer(voices.vectors, np.int8).reshape(-1, voices.dimensions) / STEPS
    expected = [[1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]
    assert np.allclose(vectors @ vectors.T, expected, atol=0.02)
    assert [one / PER_SECOND for one in voices.speech] == [2.0, 1.5, 2.0, 0.0]


def test_another_basis_of_the_recording_changes_nothing() -> None:
    turned = np.linalg.qr(np.random.default_rng(5).normal(size=(DIMENSION, DIMENSION)))[0]
    vectors = [
        np.abs(np.frombuffer(turn_voices(TURNS, one).vectors, np.int8).astype(int))
        for one in (frames(), (frames() @ turned).astype(np.float16))
    ]
    assert np.abs(vectors[0] - vectors[1]).max() <= 1, (
        "the vectors do not say where they lay in the space of all voices"
    )


def test_stored_voices_are_read_again_and_others_are_not() -> None:
    voices = turn_voices(TURNS, frames())
    stored = voices.to_bytes()
    assert TurnVoices.from_bytes(stored) == voices
    for damaged in (b"", b"{}\n", stored[:-1], stored.replace(b'"turns": 4', b'"turns": 5')):
        with pytest.raises(ValueError, match="voices of turns"):
            TurnVoices.from_bytes(damaged)
