"""Which local speakers are the same person: pyannote.audio's AgglomerativeClustering (centroid linkage).

Source: pyannote.audio 4.0.7, pipelines/clustering.py. Differences are named where they are made.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import cdist

from parley_core.job import SpeakerBounds

Embeddings = NDArray[np.float32]
Labels = NDArray[np.int64]

CLEAN_SHARE = 0.2  # of a window that a local speaker must have alone before it may found a cluster
MAX_POINTS = 4000  # linkage needs 16 bytes per pair: 128 MB here, 2.6 GB for four hours without a limit
NOBODY = -1


@dataclass(frozen=True, slots=True)
class ClusteringParameters:
    """`threshold` is a distance between unit vectors; `min_size` is how many local speakers make a speaker."""

    threshold: float = 0.65
    min_size: int = 6


def assign(
    embeddings: Embeddings, activity: NDArray[np.uint8], bounds: SpeakerBounds, parameters: ClusteringParameters
) -> Labels:
    """Return the speaker of each local speaker, 0 and up, shape (windows, 3); NOBODY where it is silent.

    Args:
        embeddings: shape (windows, 3, dimension), not a number where there was too little to embed.
        activity: shape (windows, frames, 3).
        bounds: number of speakers, honoured wherever enough of them are heard alone.
    """
    founders = _thinned(embeddings[_heard_alone(embeddings, activity)])
    labels = group(founders, bounds, parameters)
    assigned = _nearest(embeddings, founders, labels)
    assigned[~activity.any(axis=1)] = NOBODY
    return assigned


def mean_voices(embeddings: Embeddings, assigned: Labels) -> dict[Hashable, Embeddings]:
    """Return how each speaker sounds: the mean direction of its local speakers, where any was embedded."""
    heard = ~np.isnan(embeddings).any(axis=2)
    unit = embeddings / np.linalg.norm(embeddings, axis=2, keepdims=True)
    names = np.unique(assigned[heard & (assigned != NOBODY)]).tolist()
    return {name: unit[heard & (assigned == name)].mean(axis=0) for name in names}


def group(points: Embeddings, bounds: SpeakerBounds, parameters: ClusteringParameters) -> Labels:
    """Return a label per point, 0 and up, shape (points,): one speaker where the points are too few to tell."""
    least, most = _limits(bounds, len(points))
    if most < 2:
        return np.zeros(len(points), np.int64)
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    min_size = min(parameters.min_size, max(1, round(0.1 * len(points))))
    tree = linkage(unit, method="centroid", metric="euclidean")
    labels = _cut(tree, parameters.threshold)
    wanted = min(max(_large(labels, min_size).size, least), most)
    if _large(labels, min_size).size != wanted:
        labels = _cut_into(wanted, tree, parameters.threshold, min_size)
    return _absorb_small(unit, labels, min_size)


def _heard_alone(embeddings: Embeddings, activity: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which local speakers are good enough to found a cluster, shape (windows, 3)."""
    alone = activity * (activity.sum(axis=2, keepdims=True) == 1)
    enough = alone.sum(axis=1) >= CLEAN_SHARE * activity.shape[1]
    return np.asarray(enough & ~np.isnan(embeddings).any(axis=2))


def _thinned(points: Embeddings) -> Embeddings:
    """Keep every second, third, ... point of a very long recording: neighbours share nine seconds of ten anyway."""
    return points[:: max(1, -(-len(points) // MAX_POINTS))]


def _limits(bounds: SpeakerBounds, points: int) -> tuple[int, int]:
    """Return how many clusters there must be at least and at most; never more than points, never less than one."""
    least = max(1, min(points, bounds.min or 1))
    most = max(1, min(points, bounds.max or points))
    return least, most


def _cut(tree: NDArray[np.float64], height: float) -> Labels:
    return np.asarray(fcluster(tree, height, criterion="distance"), np.int64) - 1


def _large(labels: Labels, min_size: int) -> Labels:
    """Return the labels that enough points carry."""
    names, sizes = np.unique(labels, return_counts=True)
    return np.asarray(names[sizes >= min_size])


def _cut_into(wanted: int, tree: NDArray[np.float64], threshold: float, min_size: int) -> Labels:
    """Cut where the number of large clusters comes nearest to the one wanted; of such cuts, nearest the threshold."""
    by_order = tree.copy()
    by_order[:, 2] = np.arange(len(tree))
    best, miss = _cut(by_order, len(tree)), abs(wanted - 1)
    for merge in np.argsort(np.abs(tree[:, 2] - threshold), kind="stable"):
        if miss == 0:
            break
        if tree[merge, 3] < min_size:  # a merge this small makes no large cluster
            continue
        labels = _cut(by_order, merge)
        if abs(_large(labels, min_size).size - wanted) < miss:
            best, miss = labels, abs(_large(labels, min_size).size - wanted)
    return best


def _absorb_small(unit: Embeddings, labels: Labels, min_size: int) -> Labels:
    """Give each small cluster to the large one whose mean is nearest by angle, and number the rest from 0."""
    large = _large(labels, min_size)
    if not large.size:
        return np.zeros_like(labels)
    small = np.setdiff1d(labels, large)
    owner = np.arange(labels.max() + 1)
    if small.size:
        owner[small] = large[cdist(_means(unit, labels, small), _means(unit, labels, large), "cosine").argmin(axis=1)]
    return np.asarray(np.unique(owner[labels], return_inverse=True)[1], np.int64)


def _means(points: Embeddings, labels: Labels, names: Labels) -> Embeddings:
    return np.stack([points[labels == name].mean(axis=0) for name in names])


def _nearest(embeddings: Embeddings, founders: Embeddings, labels: Labels) -> Labels:
    """Return the cluster whose mean is nearest by angle, shape (windows, 3); the first where there is no embedding."""
    if not labels.any():
        return np.zeros(embeddings.shape[:2], np.int64)
    means = _means(founders, labels, np.unique(labels))
    distance = cdist(embeddings.reshape(-1, embeddings.shape[2]), means, "cosine")
    return np.asarray(np.where(np.isnan(distance), 0.0, distance).argmin(axis=1).reshape(embeddings.shape[:2]))
