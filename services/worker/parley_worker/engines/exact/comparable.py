"""Voices made comparable between recordings: what all people have in common is taken off.

Vectors of the stock model share one direction, so that strangers have a cosine of 0.4. With the mean voice taken off it
is 0, and ten times fewer strangers pass for one person. The default engine needs no such thing: its head leaves out
that direction (engines/onnx/trunk.py).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parley_worker.engines.onnx import models
from parley_worker.engines.result import Voices

MODEL = models.voice_model(models.MEAN_VOICE)


def comparable(vectors: Mapping[Hashable, NDArray[np.floating[Any]]]) -> Voices:
    """Return voices as they are stored, of vectors of any length; zero, which is no voice, stays zero.

    Raises:
        EngineMismatch: the mean voice is missing, or not the one this version was built for.
    """
    return Voices(MODEL, {speaker: _centred(np.asarray(vector)) for speaker, vector in vectors.items()})


def _centred(vector: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    length = np.linalg.norm(vector)
    return vector / length - mean_voice() if length > 0 else vector


@cache
def mean_voice() -> NDArray[np.float32]:
    """Return the mean of the unit vectors of many people, shape (192,): `python -m benchmarks.voice_mean` made it."""
    return np.frombuffer(models.read_model(models.MEAN_VOICE), "<f4")
