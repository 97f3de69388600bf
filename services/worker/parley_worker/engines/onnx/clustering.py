"""How many people there are, and how each of them sounds: pieces of two seconds, joined to clusters, nearest first.

Two clusters are as alike as their pieces are on average, measured against how alike the pieces of each are among
themselves: a voice that varies much need not split, and two that vary little are told apart. Few pieces say little
about that, so a cluster's own coherence is drawn towards a common one. As that is low, small clusters are joined sooner
than large ones: what is left over of a person sounds less like them than a whole turn does (docs/adr/0006).

Two stages keep memory and time flat: stretches of the recording are clustered tightly by themselves, then the small
clusters that come out. The mean cosine of two sets of unit vectors is the product of their means, so sums are enough.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parley_core.job import SpeakerBounds
from parley_worker.engines.onnx.trunk import Frames, unit

Labels = NDArray[np.int64]
Numbers = NDArray[np.float64]

STRETCH = 2000  # pieces clustered at once: 16 MB of distances; ten minutes and more of speech
TIGHT = 0.4  # mean cosine distance, first stage: what it joins wrongly nothing parts again. 0.3 to 0.5 do the same
FLOOR = 0.05  # of coherence: what bounds force together may hold opposites, and needs a root all the same


@dataclass(frozen=True, slots=True)
class ClusteringParameters:
    """When two voices are one person.

    Attributes:
        threshold: one minus the likeness from which two clusters are one person.
        coherence: mean cosine between pieces of one person, taken for granted as much as `weight` pieces tell.
        weight: pieces.
        least_seconds: of speech alone that make a speaker, or a tenth of all speech where that is less.
    """

    threshold: float = 0.365
    coherence: float = 0.4
    weight: float = 8.0
    least_seconds: float = 0.7


DEFAULT = ClusteringParameters()
UNBOUNDED = SpeakerBounds()


def centroids(pieces: Frames, weights: Frames, bounds: SpeakerBounds, parameters: ClusteringParameters) -> Frames:
    """Return the voice of each speaker, unit vectors of shape (speakers, dimension).

    Args:
        pieces: unit vectors, shape (pieces, dimension).
        weights: seconds of speech that each stands for.
        bounds: number of speakers, honoured wherever there are as many pieces.
    """
    if not len(pieces):
        return pieces
    small = _small_clusters(pieces, bounds)
    seconds = np.bincount(small, weights).astype(np.float64)
    labels = group(_sums(pieces, small), np.bincount(small), seconds, bounds, parameters)
    voices = _sums(pieces * weights[:, None], small)
    names = speakers_among(labels, seconds, parameters, bounds)
    return unit(np.stack([voices[labels == name].sum(axis=0) for name in names]))


def group(
    sums: Frames, sizes: Labels, seconds: Numbers, bounds: SpeakerBounds, parameters: ClusteringParameters
) -> Labels:
    """Return a label per small cluster, cut where bounds allow; of such cuts, nearest the threshold.

    Args:
        sums: of the pieces of each small cluster, shape (clusters, dimension).
        sizes: pieces in each.
        seconds: of speech in each.
    """
    tree = Tree.grown(sums, sizes, parameters)
    joins = tree.joins_within(parameters.threshold)
    found = len(speakers_among(tree.labels(joins), seconds, parameters))
    wanted = min(max(found, bounds.min or 1), bounds.max or len(sums), len(sums))
    if found == wanted:
        return tree.labels(joins)
    fewer = range(min(joins - 1, len(sums) - wanted), -1, -1)  # joins that leave as many clusters as are wanted
    others = fewer if found < wanted else range(joins + 1, len(sums))
    misses = [abs(len(speakers_among(tree.labels(n), seconds, parameters)) - wanted) for n in others]
    return tree.labels(others[int(np.argmin(misses))] if misses else joins)


def speakers_among(
    labels: Labels, seconds: Numbers, parameters: ClusteringParameters, bounds: SpeakerBounds = UNBOUNDED
) -> Labels:
    """Return the clusters that speak long enough to be a person; more or fewer only to keep bounds, longest first."""
    spoken = np.bincount(labels, seconds)
    enough = spoken >= min(parameters.least_seconds, 0.1 * spoken.sum())
    number = min(max(int(enough.sum()), bounds.min or 1), bounds.max or len(spoken))
    return np.sort(np.argsort(-spoken, kind="stable")[:number])


@dataclass(frozen=True, slots=True)
class Tree:
    """Which clusters were joined, in order.

    Attributes:
        pairs: the first member of either cluster, shape (joins, 2); the former keeps standing for both.
        distances: one minus their likeness, shape (joins,).
    """

    pairs: Labels
    distances: Numbers

    @classmethod
    def grown(cls, sums: Frames, sizes: Labels, parameters: ClusteringParameters) -> Tree:
        """Join the two most alike clusters, again and again, until one is left."""
        growing = _Growing(sums, sizes, parameters)
        joins = [growing.join() for _ in range(len(sums) - 1)]
        return cls(np.array([join[:2] for join in joins], np.int64).reshape(-1, 2), np.array([j[2] for j in joins]))

    def joins_within(self, threshold: float) -> int:
        """Return how many joins come before the first one farther than the threshold."""
        beyond = np.flatnonzero(self.distances > threshold)
        return int(beyond[0]) if len(beyond) else len(self.distances)

    def labels(self, joins: int) -> Labels:
        """Return a label per cluster, 0 and up, after so many joins."""
        standing = np.arange(len(self.pairs) + 1)
        for kept, gone in self.pairs[:joins]:
            standing[standing == gone] = kept
        return np.asarray(np.unique(standing, return_inverse=True)[1], np.int64)


class _Growing:
    """The clusters while a tree grows."""

    def __init__(self, sums: Frames, sizes: Labels, parameters: ClusteringParameters) -> None:
        self._sums, self._sizes = sums.astype(np.float64), sizes.astype(np.float64)
        self._parameters = parameters
        self._spread = np.sqrt(self._coherence(self._sums, self._sizes))
        mean = self._sums / self._sizes[:, None]
        self._likeness = mean @ mean.T / np.outer(self._spread, self._spread)
        np.fill_diagonal(self._likeness, -np.inf)

    def join(self) -> tuple[int, int, float]:
        """Join the two most alike and return them, and their distance."""
        kept, gone = sorted(int(n) for n in np.unravel_index(self._likeness.argmax(), self._likeness.shape))
        likeness = float(self._likeness[kept, gone])
        self._sums[kept] += self._sums[gone]
        self._sizes[kept] += self._sizes[gone]
        self._spread[kept] = np.sqrt(self._coherence(self._sums[kept], self._sizes[kept]))
        self._likeness[gone] = self._likeness[:, gone] = -np.inf
        others = np.isfinite(self._likeness[kept])
        products = self._sums[others] @ self._sums[kept] / (self._sizes[others] * self._sizes[kept])
        self._likeness[kept, others] = products / (self._spread[others] * self._spread[kept])
        self._likeness[others, kept] = self._likeness[kept, others]
        return kept, gone, 1 - likeness

    def _coherence(self, sums: Numbers, sizes: Numbers) -> Numbers:
        """Return how alike a cluster's pieces are: their pairs' mean cosine, drawn towards the common one."""
        pairs = np.einsum("...i,...i", sums, sums) - sizes  # all pairs but a piece with itself
        own = pairs / np.maximum(sizes - 1, 1)  # times the size, as it is weighted below
        weight = self._parameters.weight
        told = np.where(sizes > 1, sizes, 0)
        return np.asarray(np.maximum((own + weight * self._parameters.coherence) / (told + weight), FLOOR))


def _small_clusters(pieces: Frames, bounds: SpeakerBounds) -> Labels:
    """Return a tight cluster per piece; each piece is its own where bounds ask for more than there would be."""
    labels = np.zeros(len(pieces), np.int64)
    for start in range(0, len(pieces), STRETCH):
        part = slice(start, start + STRETCH)
        labels[part] = _tight(pieces[part]) + (labels.max() + 1 if start else 0)
    enough = labels.max() + 1 >= (bounds.min or 1) or len(pieces) > STRETCH
    return labels if enough else np.arange(len(pieces))


def _tight(pieces: Frames) -> Labels:
    if len(pieces) < 2:
        return np.zeros(len(pieces), np.int64)
    from scipy.cluster.hierarchy import fcluster, linkage  # half a second that the first window need not wait for

    return np.asarray(fcluster(linkage(pieces, "average", metric="cosine"), TIGHT, "distance"), np.int64) - 1


def _sums(vectors: Frames, labels: Labels) -> Frames:
    sums = np.zeros((labels.max() + 1, vectors.shape[1]), np.float32)
    np.add.at(sums, labels, vectors)
    return sums
