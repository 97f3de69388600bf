"""Makes the mean voice of `onnx-exact`: `python -m benchmarks.voice_mean UTTERANCES OUT`.

It is the mean of the unit vectors of the people for choosing (mixes.py), each from the first half of one utterance. The
pin in engines/onnx/models.py must follow; voices enrolled before are then no longer compared with new ones.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import numpy as np

from benchmarks.voices import halves, voice_in
from parley_worker.engines.base import load_engine
from parley_worker.engines.exact import comparable

DIGITS = 4  # what is written is rounded, so that it does not depend on the processor


def main(arguments: Sequence[str]) -> None:
    """Write the mean and print its SHA-256."""
    utterances, out = Path(arguments[0]), Path(arguments[1])
    engine = load_engine("onnx-exact")
    with patch.object(comparable, "mean_voice", return_value=np.zeros(1, np.float32)):
        vectors = [voice_in(engine, person[0]) for person in halves(utterances, "choose")]
    data = np.round(np.mean(vectors, axis=0, dtype=np.float64), DIGITS).astype("<f4").tobytes()
    out.write_bytes(data)
    print(f"{len(vectors)} people, {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    main(sys.argv[1:])
