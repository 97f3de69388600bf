"""Clustering of local speakers as in pyannote.audio: AgglomerativeClustering with centroid linkage.

Source: pyannote.audio 4.0.7, pipelines/clustering.py. Differences are stated where they are.
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

MIN_ALONE_SHARE = 0.2  # of a window: local speakers who are alone for less are not clustered
MAX_POINTS = 4000  # linkage needs 16 bytes per pair: 128 MB; without this limit, 2.6 GB for four hours
NO_SPEAKER = -1


@dataclass(frozen=True, slots=True)
class ClusteringParameters:
    """Parameters of the clustering.

    Attributes:
        threshold: distance between unit vectors at which two clusters are two speakers.
        min_size: number of local speakers that make a speaker.
    """

    threshold: float = 0.65
    min_size: int = 6


def assign(
    embeddings: Embeddings, activity: NDArray[np.uint8], bounds: SpeakerBounds, parameters: ClusteringParameters
) -> Labels:
    """Return the speaker of each local speaker, 0 and up, shape (windows, 3); NO_SPEAKER where it is silent.

    Args:
        embeddings: shape (windows, 3, dimension), NaN where there was too little to embed.
        activity: 0 or 1, shape (windows, frames, 3).
        bounds: number of speakers, honoured if enough local speakers speak alone.
        parameters: of the clustering.
    """
    points = embeddings[_clusterable(embeddings, activity)]
    points = points[:: max(1, -(-len(points) // MAX_POINTS))]  # thinned: neighbouring windows share nine of ten seconds
    labels = group(points, bounds, parameters)
    assigned = _nearest(embeddings, points, labels)
    assigned[~activity.any(axis=1)] = NO_SPEAKER
    return assigned


def mean_embeddings(embeddings: Embeddings, assigned: Labels) -> dict[Hashable, Embeddings]:
    """Return the mean direction of the embeddings of each speaker, shape (dimension,), where there are any.

    Args:
        embeddings: shape (windows, 3, dimension), NaN where there is none.
        assigned: shape (windows, 3).
    """
    known = ~np.isnan(embeddings).any(axis=2)
    unit = embeddings / np.linalg.norm(embeddings, axis=2, keepdims=True)
    speakers = np.unique(assigned[known & (assigned != NO_SPEAKER)]).tolist()
    return {speaker: unit[known & (assigned == speaker)].mean(axis=0) for speaker in speakers}


def group(points: Embeddings, bounds: SpeakerBounds, parameters: ClusteringParameters) -> Labels:
    """Return a label per point, 0 and up, shape (points,); one label if there are too few points to cluster.

    Args:
        points: shape (points, dimension), of any length.
        bounds: of the number of speakers.
        parameters: of the clustering.
    """
    most = max(1, min(len(points), bounds.max or len(points)))
    least = max(1, min(len(points), bounds.min or 1))
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


def _clusterable(embeddings: Embeddings, activity: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which local speakers are embedded and alone for long enough to be clustered, shape (windows, 3)."""
    alone = activity * (activity.sum(axis=2, keepdims=True) == 1)
    enough = alone.sum(axis=1) >= MIN_ALONE_SHARE * activity.shape[1]
    return np.asarray(enough & ~np.isnan(embeddings).any(axis=2))


def _cut(tree: NDArray[np.float64], height: float) -> Labels:
    return np.asarray(fcluster(tree, height, criterion="distance"), np.int64) - 1


def _large(labels: Labels, min_size: int) -> Labels:
    """Return the labels of at least `min_size` points."""
    names, sizes = np.unique(labels, return_counts=True)
    return np.asarray(names[sizes >= min_size])


def _cut_into(wanted: int, tree: NDArray[np.float64], threshold: float, min_size: int) -> Labels:
    """Return the cut whose number of large clusters is nearest to the wanted one; among ties, nearest the threshold."""
    by_order = tree.copy()
    by_order[:, 2] = np.arange(len(tree))
    best = _cut(by_order, len(tree))
    miss = abs(wanted - 1)
    for merge in np.argsort(np.abs(tree[:, 2] - threshold), kind="stable"):
        if miss == 0:
            break
        if tree[merge, 3] < min_size:  # too small to make a large cluster
            continue
        labels = _cut(by_order, merge)
        off = abs(_large(labels, min_size).size - wanted)
        if off < miss:
            best, miss = labels, off
    return best


def _absorb_small(unit: Embeddings, labels: Labels, min_size: int) -> Labels:
    """Merge each small cluster into the large one of most similar mean, and number the large ones from 0."""
    large = _large(labels, min_size)
    if not large.size:
        return np.zeros_like(labels)
    small = np.setdiff1d(labels, large)
    owner = np.arange(labels.max() + 1)
    if small.size:
        distances = cdist(_means(unit, labels, small), _means(unit, labels, large), "cosine")
        owner[small] = large[distances.argmin(axis=1)]
    return np.asarray(np.unique(owner[labels], return_inverse=True)[1], np.int64)


def _means(points: Embeddings, labels: Labels, names: Labels) -> Embeddings:
    return np.stack([points[labels == name].mean(axis=0) for name in names])


def _nearest(embeddings: Embeddings, points: Embeddings, labels: Labels) -> Labels:
    """Return the cluster of most similar mean, shape (windows, 3); the first one where there is no embedding."""
    if not labels.any():
        return np.zeros(embeddings.shape[:2], np.int64)
    means = _means(points, labels, np.unique(labels))
    distances = cdist(embeddings.reshape(-1, embeddings.shape[2]), means, "cosine")
    nearest = np.where(np.isnan(distances), 0.0, distances).argmin(axis=1)
    return np.asarray(nearest.reshape(embeddings.shape[:2]))
