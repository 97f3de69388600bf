"""Speaker embeddings of the reference engine without the mean of all people."""

from __future__ import annotations

import numpy as np
import pytest

from parley_worker.engines.exact.normalization import EMBEDDING_MODEL, mean_embedding, normalized
from parley_worker.engines.onnx import models, trunk


def test_vectors_of_one_direction_give_the_same_embedding_whatever_their_length() -> None:
    vector = np.random.default_rng(1).normal(size=192)
    made = normalized({"A": vector, "B": 3 * vector}).vectors
    np.testing.assert_allclose(made["A"], made["B"], atol=1e-6)


def test_the_mean_of_all_people_is_subtracted() -> None:
    direction = mean_embedding() / np.linalg.norm(mean_embedding())
    own = np.random.default_rng(1).normal(size=192)
    own -= (own @ direction) * direction
    common = direction * np.linalg.norm(mean_embedding())
    rest = own / np.linalg.norm(own) * np.sqrt(1 - common @ common)
    made = normalized({"A": common + rest}).vectors["A"]
    assert abs(made @ direction) == pytest.approx(0, abs=1e-6)


def test_a_zero_embedding_stays_zero() -> None:
    assert not normalized({"A": np.zeros(192)}).vectors["A"].any()


def test_embeddings_of_the_two_engines_belong_to_different_spaces() -> None:
    assert EMBEDDING_MODEL != trunk.EMBEDDING_MODEL
    assert models.PINS[models.EMBEDDING] in EMBEDDING_MODEL
