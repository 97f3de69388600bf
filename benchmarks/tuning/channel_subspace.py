"""Makes the channel subspace: `python -m benchmarks.tuning.channel_subspace UTTERANCES OUT`.

A telephone moves the embeddings of all speakers in one direction, so that two people on it are more similar than one
person on and off it. Such a direction lies between the mean embeddings of many people under two conditions; the engine
projects it out of every embedding. (Nuisance attribute projection: Solomonoff, Campbell, Boardman, 2005.) The people
are those of the tuning split, so that the validation split tests the directions. Writes orthonormal rows of float32,
shape (conditions, 192), and prints the file's SHA-256; update the pin in engines/onnx/models.py.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.data.audio import read_audio
from benchmarks.data.conditions import CONDITIONS, Condition
from benchmarks.data.mixes import speakers
from parley_worker.engines.onnx import trunk

BETWEEN = ("clean", "telephone", "narrow")  # echo, noise and levels are within 25 degrees of clean
SUBSEGMENT = 2 * trunk.FRAMES_PER_SECOND
PRECISION = 1e-4  # the file is rounded, so that it does not depend on the processor


def directions(utterances: Path) -> NDArray[np.float32]:
    """Return the mean embeddings of the conditions, orthonormalised in their order, shape (conditions, 192)."""
    released = trunk.ReleasedTrunk()
    head = trunk.Head(released.last_layer, np.zeros((0, trunk.DIMENSION), np.float32))
    people = speakers(utterances, "tuning")
    means = [_mean_embedding(released, head, utterances, people, CONDITIONS[name]) for name in BETWEEN]
    basis, triangle = np.linalg.qr(np.array(means).T)
    return np.asarray(np.round((basis * np.sign(np.diag(triangle))).T / PRECISION) * PRECISION, np.float32)


def _mean_embedding(
    released: trunk.ReleasedTrunk,
    head: trunk.Head,
    utterances: Path,
    people: list[str],
    condition: Condition,
) -> NDArray[np.float32]:
    """Return the mean of the people's embeddings, each the mean of their sub-segments of two seconds."""
    embeddings = []
    for number, person in enumerate(people):
        utterance = read_audio(sorted(utterances.glob(f"{person}-*.flac"))[0])
        recording = condition.record([utterance], np.random.default_rng(number))
        frames = np.concatenate(list(trunk.trunk_frames(released, recording, lambda _share: None)))
        starts = np.arange(0, max(1, len(frames) - SUBSEGMENT), SUBSEGMENT // 2)[:, None]
        positions = np.arange(len(frames))
        masks = (starts <= positions) & (positions < starts + SUBSEGMENT)
        embeddings.append(head.embed(frames, masks).mean(axis=0))
    return np.asarray(np.mean(embeddings, axis=0))


if __name__ == "__main__":
    data = directions(Path(sys.argv[1])).astype("<f4").tobytes()
    Path(sys.argv[2]).write_bytes(data)
    print(hashlib.sha256(data).hexdigest())
