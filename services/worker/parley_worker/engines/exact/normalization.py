"""Speaker embeddings that can be compared between recordings: the mean of all people is subtracted.

The embeddings of the released model share one direction, so that the cosine similarity of strangers is 0.4 on average.
Without their mean it is 0, and ten times fewer strangers are taken for one person. The default engine does not need
this, because its head omits the final ReLU that causes it (engines/onnx/trunk.py).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parley_worker.engines.onnx import models
from parley_worker.engines.result import SpeakerEmbeddings

EMBEDDING_MODEL = models.embedding_model(models.MEAN_EMBEDDING)


def normalized(vectors: Mapping[Hashable, NDArray[np.floating[Any]]]) -> SpeakerEmbeddings:
    """Return speaker embeddings as they are stored.

    Args:
        vectors: of each speaker, shape (192,), of any length; zero means that there is none and stays zero.

    Raises:
        EngineMismatch: the file of the mean is missing, or its SHA-256 is not the pinned one.
    """
    centred = {}
    for speaker, vector in vectors.items():
        length = np.linalg.norm(vector)
        centred[speaker] = vector / length - mean_embedding() if length > 0 else np.asarray(vector)
    return SpeakerEmbeddings(EMBEDDING_MODEL, centred)


@cache
def mean_embedding() -> NDArray[np.float32]:
    """Return the mean of the unit embeddings of 77 people, shape (192,), from benchmarks/tuning/mean_embedding.py."""
    return np.frombuffer(models.read_model(models.MEAN_EMBEDDING), "<f4")
