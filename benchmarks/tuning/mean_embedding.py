"""Makes the mean embedding of `onnx-exact`: `python -m benchmarks.tuning.mean_embedding UTTERANCES OUT`.

It is the mean of the unit embeddings of the people of the tuning split, each from the first half of one utterance.
Prints the file's SHA-256; update the pin in engines/onnx/models.py. Voiceprints that were stored before are then no
longer compared with new ones.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import numpy as np

from benchmarks.tuning.verification import embedding_of, halves
from parley_worker.engines.base import load_engine
from parley_worker.engines.exact import normalization

DIGITS = 4  # the file is rounded, so that it does not depend on the processor


def main(arguments: Sequence[str]) -> None:
    """Write the mean and print its SHA-256."""
    utterances, out = Path(arguments[0]), Path(arguments[1])
    engine = load_engine("onnx-exact")
    with patch.object(normalization, "mean_embedding", return_value=np.zeros(1, np.float32)):
        embeddings = [embedding_of(engine, person[0]) for person in halves(utterances, "tuning")]
    data = np.round(np.mean(embeddings, axis=0, dtype=np.float64), DIGITS).astype("<f4").tobytes()
    out.write_bytes(data)
    print(f"{len(embeddings)} people, {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    main(sys.argv[1:])
