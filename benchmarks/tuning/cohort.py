"""Makes the cohort of strangers: `python -m benchmarks.tuning.cohort SETS OUT`.

SETS is a folder of the tuning split that `python -m benchmarks.data.sets` writes, with one folder per condition. Each
person of each recording gives one vector: the mean of the embeddings of two seconds in which they speak alone. Writes
float16 rows of shape (vectors, 192) and prints the file's SHA-256; update the pin in engines/onnx/models.py.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.data.audio import labelled, read_audio
from benchmarks.scoring.der import read_rttm
from parley_core.turns import Turn
from parley_worker.engines.onnx import trunk
from parley_worker.engines.onnx.embedding import MIN_SUBSEGMENT, SUBSEGMENT, SUBSEGMENT_HOP

DIGITS = 3  # the file is rounded, so that it does not depend on the processor
LEAST = 3  # sub-segments of a person


def cohort(sets: Path) -> NDArray[np.float16]:
    """Return one vector per person and recording, of length one, shape (vectors, 192)."""
    released = trunk.ReleasedTrunk()
    head = trunk.Head(released.last_layer)
    vectors = []
    for folder in sorted(path for path in sets.iterdir() if path.is_dir()):
        for path in labelled(folder):
            frames = np.concatenate(list(trunk.trunk_frames(released, read_audio(path), lambda _share: None)))
            vectors += [head.embed(frames, masks).mean(axis=0) for masks in _masks(path, len(frames))]
    return np.round(trunk.unit(np.array(vectors, np.float32)), DIGITS).astype(np.float16)


def _masks(path: Path, frames: int) -> Iterator[NDArray[np.bool_]]:
    """Yield the trunk frames of the sub-segments of each person, shape (sub-segments, frames)."""
    turns = read_rttm(path.with_suffix(".rttm"))
    people = sorted({turn.speaker for turn in turns})
    speaking = np.stack([_speaking([turn for turn in turns if turn.speaker == one], frames) for one in people])
    starts = np.arange(0, max(1, frames - SUBSEGMENT), SUBSEGMENT_HOP)[:, None]
    positions = np.arange(frames)
    inside = (starts <= positions) & (positions < starts + SUBSEGMENT)
    for own in speaking & (speaking.sum(axis=0) == 1):
        masks = inside & own
        if len(kept := masks[masks.sum(axis=1) >= MIN_SUBSEGMENT]) >= LEAST:
            yield kept


def _speaking(turns: list[Turn], frames: int) -> NDArray[np.bool_]:
    time = np.arange(frames) / trunk.FRAMES_PER_SECOND
    return np.asarray(np.any([(turn.start <= time) & (time < turn.end) for turn in turns], axis=0))


if __name__ == "__main__":
    found = cohort(Path(sys.argv[1]))
    data = found.astype("<f2").tobytes()
    Path(sys.argv[2]).write_bytes(data)
    print(f"{len(found)} vectors, {hashlib.sha256(data).hexdigest()}")
