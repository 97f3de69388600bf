"""Our average linkage finds the clusters of scipy, numbered as scipy numbers them, without scipy."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from parley_worker.engines.onnx import trunk
from parley_worker.engines.onnx.clustering import TIGHT
from parley_worker.engines.onnx.linkage import average_clusters

Distances = NDArray[np.floating]
Random = np.random.Generator

PROGRAM = """
import sys, soundfile
from benchmarks.data.audio import SHIPPED
from parley_core.job import SpeakerBounds
from parley_worker.engines.base import load_engine
waveform = soundfile.read(SHIPPED / "conversation.flac", dtype="float32")[0]
found = load_engine("onnx").diarize(waveform, SpeakerBounds(), lambda phase, progress: None)
assert len({turn.speaker for turn in found.turns}) == 3, found.turns
assert "scipy" not in sys.modules
"""


def symmetric(distances: Distances) -> Distances:
    upper = np.triu(distances, 1)
    return np.asarray(upper + upper.T)


def unrelated(random: Random, points: int) -> Distances:
    return symmetric(random.random((points, points)))


def tied(random: Random, points: int) -> Distances:
    """One of five distances between all points; TIGHT is one of them."""
    return symmetric(random.integers(0, 5, (points, points)) * (TIGHT / 2))


def equal(_random: Random, points: int) -> Distances:
    return symmetric(np.full((points, points), TIGHT))


def voices(random: Random, points: int) -> Distances:
    """Cosine distances between sub-segments of eight voices, in float32 like those of the engine."""
    centres = np.eye(8, 192)[random.integers(0, 8, points)]
    vectors = trunk.unit((centres + random.normal(0, 0.06, centres.shape)).astype(np.float32))
    return symmetric((1 - vectors @ vectors.T).clip(0))


def duplicates(random: Random, points: int) -> Distances:
    """A third as many different voices as points."""
    return voices(random, -(-points // 3))[np.ix_(*[random.integers(0, -(-points // 3), points)] * 2)]


def labels_of_scipy(distances: Distances, threshold: float) -> list[int]:
    tree = linkage(squareform(distances, checks=False), "average")
    return [int(label) - 1 for label in fcluster(tree, threshold, "distance")]


@pytest.mark.parametrize("kind", [unrelated, tied, equal, voices, duplicates])
@pytest.mark.parametrize("points", [2, 3, 4, 17, 500, 2000])
def test_labels_are_those_of_scipy(kind: Callable[[Random, int], Distances], points: int) -> None:
    random = np.random.default_rng(points)
    for _ in range(1 if points > 100 else 20):
        distances = kind(random, points)
        for threshold in (0, TIGHT / 2, TIGHT, 0.6, 2):
            assert average_clusters(distances, threshold).tolist() == labels_of_scipy(distances, threshold)


def test_one_point_is_one_cluster() -> None:
    assert average_clusters(np.zeros((1, 1)), TIGHT).tolist() == [0]


def test_halves_that_differ_by_rounding_lead_in_no_circle() -> None:
    """By their rows, the nearest neighbour of 0 is 1, that of 1 is 2, and that of 2 is 0."""
    more = np.nextafter(1, 2)
    distances = np.array([[0, 1, more], [more, 0, 1], [1, more, 0]])
    assert average_clusters(distances, 2).tolist() == [0, 0, 0]
    assert average_clusters(distances, TIGHT).tolist() == [0, 1, 2]


def test_a_distance_that_is_no_number_is_refused() -> None:
    distances = np.zeros((3, 3))
    distances[0, 2] = distances[2, 0] = np.nan
    with pytest.raises(ValueError, match="finite"):
        average_clusters(distances, TIGHT)


def test_the_engine_does_without_scipy_whose_import_would_delay_the_first_recording() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
