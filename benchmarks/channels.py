"""What the way to the microphone does to every voice alike: `python -m benchmarks.channels UTTERANCES OUT`.

A telephone moves all voices in one direction, so that two people on it sound more alike than one person on and off it.
Where the mean voice of many people lies under each condition is such a direction; the engine takes them out of every
voice. (Nuisance attribute projection: Solomonoff, Campbell, Boardman, 2005.) Made of the people that are there for
choosing, so that the held-out ones test it. Writes the directions, orthonormal rows of float32, shape (conditions,
192), and prints the file's SHA-256, which engines/onnx/models.py must follow.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from benchmarks.audio import sound_in
from benchmarks.conditions import CONDITIONS, Condition
from benchmarks.mixes import speakers
from parley_worker.engines.onnx import models, trunk

BETWEEN = ("clean", "telephone", "narrow")  # echo, noise and levels lie within 25 degrees of clean
PIECE = 2 * trunk.FRAMES_PER_SECOND
EXACT = 1e-4  # what is written is rounded, so that it does not depend on the processor


def directions(utterances: Path) -> NDArray[np.float32]:
    """Return the directions between conditions, one after the other, each without what the ones before hold."""
    session = models.open_session(models.exposing(models.read_model(models.EMBEDDING), trunk.INSIDE), threads=1)
    head = trunk.Head(session, np.zeros((0, trunk.DIMENSION), np.float32))
    people = speakers(utterances, "choose")
    means = [_mean_voice(session, head, utterances, people, CONDITIONS[name]) for name in BETWEEN]
    basis, triangle = np.linalg.qr(np.array(means).T)
    return np.asarray(np.round((basis * np.sign(np.diag(triangle))).T / EXACT) * EXACT, np.float32)


def _mean_voice(
    session: onnxruntime.InferenceSession,
    head: trunk.Head,
    utterances: Path,
    people: list[str],
    condition: Condition,
) -> NDArray[np.float32]:
    """Return the mean of the people's voices, each the mean of their pieces of two seconds."""
    voices = []
    for number, person in enumerate(people):
        sound = sound_in(sorted(utterances.glob(f"{person}-*.flac"))[0])
        heard = condition.heard([sound], np.random.default_rng(number))
        frames = np.concatenate(list(trunk.trunk_frames(session, heard, lambda _share: None)))
        starts = np.arange(0, max(1, len(frames) - PIECE), PIECE // 2)[:, None]
        at = np.arange(len(frames))
        voices.append(head.embed(frames, (starts <= at) & (at < starts + PIECE)).mean(axis=0))
    return np.asarray(np.mean(voices, axis=0))


if __name__ == "__main__":
    data = directions(Path(sys.argv[1])).astype("<f4").tobytes()
    Path(sys.argv[2]).write_bytes(data)
    print(hashlib.sha256(data).hexdigest())
