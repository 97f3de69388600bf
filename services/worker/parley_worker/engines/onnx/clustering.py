"""How many people there are, and how each of them sounds: average linkage over pieces of two seconds.

Two stages keep memory flat: stretches of the recording are clustered tightly by themselves, then the small clusters
that come out, each weighted by its size. The mean similarity of two sets of unit vectors is the product of their means,
so the second stage merges as it would have merged the pieces themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

from parley_core.job import SpeakerBounds
from parley_worker.engines.onnx.trunk import Frames, unit

Labels = NDArray[np.int64]
Tree = NDArray[np.float64]  # scipy's linkage matrix

STRETCH = 2000  # pieces clustered at once: 16 MB of distances; ten minutes and more of speech
TIGHT = 0.75  # of the threshold, for the first stage: what it joins wrongly nothing parts again


@dataclass(frozen=True, slots=True)
class ClusteringParameters:
    """When two voices are one person.

    Attributes:
        threshold: mean cosine distance between the pieces of two clusters. Chosen on mixes of 77 people, where 0.41 to
            0.46 differ by less than a point of errors (docs/engine.md).
        least_seconds: of speech alone that make a speaker, or a tenth of all speech where that is less.
    """

    threshold: float = 0.43
    least_seconds: float = 1.0


DEFAULT = ClusteringParameters()
UNBOUNDED = SpeakerBounds()


def centroids(pieces: Frames, weights: Frames, bounds: SpeakerBounds, parameters: ClusteringParameters) -> Frames:
    """Return the voice of each speaker, unit vectors of shape (speakers, dimension).

    Args:
        pieces: unit vectors, shape (pieces, dimension).
        weights: seconds of speech in each.
        bounds: number of speakers, honoured wherever there are as many pieces.
    """
    if not len(pieces):
        return pieces
    small = _stretch_labels(pieces, parameters.threshold * TIGHT)
    seconds = np.bincount(small, weights).astype(np.float64)
    sums = _sums(pieces, weights, small)
    labels = group(_means(pieces, small), np.bincount(small), seconds, bounds, parameters)
    names = speakers_among(labels, seconds, parameters, bounds)
    return unit(np.stack([sums[labels == name].sum(axis=0) for name in names]))


def group(
    means: Frames, sizes: Labels, seconds: NDArray[np.float64], bounds: SpeakerBounds, parameters: ClusteringParameters
) -> Labels:
    """Return a label per small cluster, cut where bounds allow; of such cuts, nearest the threshold.

    Args:
        means: of the small clusters, shape (clusters, dimension); not of length one.
        sizes: pieces in each.
        seconds: of speech in each.
    """
    tree = average_linkage(means, sizes)
    labels = _cut(tree, parameters.threshold)
    found = len(speakers_among(labels, seconds, parameters))
    wanted = min(max(found, bounds.min or 1), bounds.max or len(means))
    if found == wanted:
        return labels
    cuts = [_cut_into(tree, number) for number in _numbers(labels.max() + 1, found < wanted, len(means))]
    misses = [abs(len(speakers_among(cut, seconds, parameters)) - wanted) for cut in cuts]
    return cuts[int(np.argmin(misses))]


def speakers_among(
    labels: Labels,
    seconds: NDArray[np.float64],
    parameters: ClusteringParameters,
    bounds: SpeakerBounds = UNBOUNDED,
) -> Labels:
    """Return the clusters that speak long enough to be a person; more or fewer only to keep bounds, longest first."""
    spoken = np.bincount(labels, seconds)
    enough = spoken >= min(parameters.least_seconds, 0.1 * spoken.sum())
    number = min(max(int(enough.sum()), bounds.min or 1), bounds.max or len(spoken))
    return np.sort(np.argsort(-spoken, kind="stable")[:number])


def average_linkage(means: Frames, sizes: Labels) -> Tree:
    """Return the tree that average linkage of the members would grow on, for clusters of unit vectors."""
    if len(means) < 2:
        return np.zeros((0, 4))
    if sizes.max() == 1:
        return np.asarray(linkage(means, "average", metric="cosine"))
    count = len(means)
    total, size, names, leaves = means * sizes[:, None], sizes.astype(np.float64), np.arange(count), np.ones(count)
    distance = 1 - means @ means.T
    np.fill_diagonal(distance, np.inf)
    tree = np.zeros((count - 1, 4))
    for merge in range(count - 1):
        one, other = np.unravel_index(distance.argmin(), distance.shape)
        leaves[one] += leaves[other]
        tree[merge] = *sorted((names[one], names[other])), max(0.0, distance[one, other]), leaves[one]
        names[one], size[one], total[one] = count + merge, size[one] + size[other], total[one] + total[other]
        distance[other] = distance[:, other] = np.inf
        alive = np.isfinite(distance[one])
        distance[one, alive] = distance[alive, one] = 1 - (total[alive] / size[alive, None]) @ total[one] / size[one]
    return tree


def _stretch_labels(pieces: Frames, threshold: float) -> Labels:
    """Return a small cluster per piece; each piece is its own where the recording is short enough for one stage."""
    if len(pieces) <= STRETCH:
        return np.arange(len(pieces))
    labels = np.zeros(len(pieces), np.int64)
    for start in range(0, len(pieces), STRETCH):
        part = slice(start, start + STRETCH)
        tree = average_linkage(pieces[part], np.ones(len(pieces[part]), np.int64))
        labels[part] = _cut(tree, threshold) + (labels.max() + 1 if start else 0)
    return labels


def _cut(tree: Tree, height: float) -> Labels:
    if not len(tree):
        return np.zeros(1, np.int64)
    return np.asarray(fcluster(tree, height, "distance"), np.int64) - 1


def _cut_into(tree: Tree, number: int) -> Labels:
    return np.asarray(fcluster(tree, number, "maxclust"), np.int64) - 1


def _numbers(clusters: int, too_few: bool, most: int) -> range:
    """Return the numbers of clusters to try, nearest to the present one first."""
    return range(clusters + 1, most + 1) if too_few else range(clusters - 1, 0, -1)


def _means(pieces: Frames, labels: Labels) -> Frames:
    sums = _sums(pieces, np.ones(len(pieces), np.float32), labels)
    return np.asarray(sums / np.bincount(labels)[:, None], np.float32)


def _sums(pieces: Frames, weights: Frames, labels: Labels) -> Frames:
    sums = np.zeros((labels.max() + 1, pieces.shape[1]), np.float32)
    np.add.at(sums, labels, pieces * weights[:, None])
    return sums
