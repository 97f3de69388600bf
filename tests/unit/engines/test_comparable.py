"""Voices of the stock model without what all people have in common."""

from __future__ import annotations

import numpy as np
import pytest

from parley_worker.engines.exact.comparable import comparable, mean_voice
from parley_worker.engines.onnx import models, trunk


def test_voices_of_different_length_and_one_direction_are_one_voice() -> None:
    vector = np.random.default_rng(1).normal(size=192)
    made = comparable({"A": vector, "B": 3 * vector}).vectors
    np.testing.assert_allclose(made["A"], made["B"], atol=1e-6)


def test_the_mean_voice_itself_says_nothing_of_a_person() -> None:
    towards = mean_voice() / np.linalg.norm(mean_voice())
    someone = np.random.default_rng(1).normal(size=192)
    someone -= (someone @ towards) * towards
    shared = towards * np.linalg.norm(mean_voice())
    rest = someone / np.linalg.norm(someone) * np.sqrt(1 - shared @ shared)
    made = comparable({"A": shared + rest}).vectors["A"]
    assert abs(made @ towards) == pytest.approx(0, abs=1e-6)


def test_what_is_no_voice_stays_none() -> None:
    assert not comparable({"A": np.zeros(192)}).vectors["A"].any()


def test_voices_of_the_two_engines_are_never_compared() -> None:
    assert comparable({}).model != trunk.VOICE_MODEL
    assert models.PINS[models.EMBEDDING] in comparable({}).model
