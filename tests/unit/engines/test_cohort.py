"""Nearness to the cohort of strangers."""

from __future__ import annotations

import numpy as np

from parley_worker.engines.onnx.cohort import NEAREST, TYPICAL, WEIGHT, cohort, nearness
from parley_worker.engines.onnx.trunk import unit


def test_the_cohort_holds_unit_vectors() -> None:
    strangers = cohort()
    assert len(strangers) > NEAREST
    np.testing.assert_allclose(np.linalg.norm(strangers, axis=1), 1, atol=0.01)


def test_nearness_is_the_mean_similarity_to_the_nearest_strangers_beyond_the_typical_one() -> None:
    strangers = np.concatenate([np.eye(NEAREST, 192), np.eye(50, 192, k=100)]).astype(np.float32)
    embeddings = unit(np.stack([np.eye(1, 192)[0], (np.arange(192) < NEAREST)]).astype(np.float32))
    expected = WEIGHT * (np.array([1 / NEAREST, 1 / np.sqrt(NEAREST)]) - TYPICAL)
    np.testing.assert_allclose(nearness(embeddings, strangers), expected, atol=1e-6)
    assert len(nearness(embeddings[:0], strangers)) == 0
