"""Average-linkage clustering with the results of scipy, whose import costs more than to cluster an hour of speech.

The nearest-neighbour chain (Murtagh 1983) finds the merges in O(n^2) time: it follows nearest neighbours until two
clusters are nearest to each other, merges them, and goes on with the rest of the chain. The distances of the new
cluster are the means of those of its parts, weighted by their sizes (Lance and Williams 1967). Merges sorted by
distance are the tree (Müllner 2011, arXiv:1109.2378).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]
Numbers = NDArray[np.float64]


def average_clusters(distances: NDArray[np.floating], threshold: float) -> Labels:
    """Return the clusters whose mean distance to each other is beyond a threshold: a label per point, 0 and up.

    Clusters are numbered like those of `fcluster(linkage(distances, "average"), threshold, "distance")` in scipy.

    Args:
        distances: between all points, symmetric, shape (points, points); at least one point.
        threshold: greatest mean distance at which two clusters are merged.

    Raises:
        ValueError: a distance is not finite.
    """
    if not np.isfinite(distances).all():
        raise ValueError("Distances must be finite.")
    pairs, heights = average_linkage(distances)
    return _cut(pairs, heights, threshold)


def average_linkage(distances: NDArray[np.floating]) -> tuple[Labels, Numbers]:
    """Return the merges by rising distance: two nodes each, the lower one first, shape (merges, 2); the distances.

    Nodes below the number of points are points; the next ones are the results of the merges in order.

    Args:
        distances: between all points, finite and symmetric, shape (points, points).
    """
    # Halves that differ by rounding would lead the chain in circles.
    merges = _chain(np.maximum(distances, distances.T).astype(np.float64))
    points = len(distances)
    root = list(range(2 * points - 1))
    pairs = np.zeros((points - 1, 2), np.int64)
    merges.sort(key=lambda merge: merge[0])
    for node, (_, *parts) in enumerate(merges, points):
        low, high = sorted(_root(root, part) for part in parts)
        root[low] = root[high] = node
        pairs[node - points] = low, high
    return pairs, np.array([height for height, _, _ in merges])


def _chain(distances: Numbers) -> list[tuple[float, int, int]]:
    """Return the distance and a point of both parts of each merge, in the order of the chain; spoils the distances."""
    sizes = [1] * len(distances)
    gone = np.zeros(len(distances))  # infinite for points whose cluster another point stands for
    np.fill_diagonal(distances, np.inf)
    merges: list[tuple[float, int, int]] = []
    chain: list[int] = []
    while len(merges) < len(distances) - 1:
        if not chain:
            chain.append(int(gone.argmin()))
        end = chain[-1]
        row = distances[end] + gone
        nearest = int(row.argmin())
        if len(chain) == 1 or row[nearest] < row[chain[-2]]:
            chain.append(nearest)
            continue
        low, high = sorted((chain.pop(), chain.pop()))
        merges.append((float(distances[low, high]), low, high))
        total = sizes[low] + sizes[high]
        mean = (sizes[low] * distances[low] + sizes[high] * distances[high]) / total
        distances[high] = distances[:, high] = mean
        sizes[high] = total
        gone[low] = np.inf
    return merges


def _root(root: list[int], node: int) -> int:
    """Return the node that a node is part of, and shorten the way to it."""
    while root[node] != node:
        root[node] = root[root[node]]
        node = root[node]
    return node


def _cut(pairs: Labels, heights: Numbers, threshold: float) -> Labels:
    """Return a label per point; clusters are numbered from the root of the tree, single points after larger parts."""
    points = len(pairs) + 1
    parts: list[list[int]] = pairs.tolist()
    apart = [False] * points + (heights > threshold).tolist()
    label = [0] * (2 * points - 1)
    number = 0
    nodes = [2 * points - 2]
    while nodes:
        node = nodes.pop()
        if apart[node]:
            nodes += sorted(parts[node - points], key=lambda part: (part >= points, -part))
        else:
            label[node] = number
            number += 1
    for node in range(2 * points - 2, points - 1, -1):
        if not apart[node]:
            low, high = parts[node - points]
            label[low] = label[high] = label[node]
    return np.array(label[:points], np.int64)
