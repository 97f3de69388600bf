"""The number of speakers and the embedding of each: agglomerative clustering of sub-segments.

The affinity of two clusters is the mean cosine similarity between their sub-segments, divided by the geometric mean of
their cohesion. Cohesion is the mean cosine similarity among the sub-segments of one cluster. So a voice that varies
much is not split, and two voices that vary little are kept apart. A few sub-segments say little about their cohesion,
so it is shrunk towards a prior. As the prior is low, small clusters merge sooner than large ones: a fragment of a
speaker is less similar to them than a whole turn is (docs/adr/0006). All similarities are corrected by how near both
sides are to strangers (cohort.py), so that the threshold holds under every recording condition.

Two stages bound memory and time: sections of the recording are clustered tightly on their own, then the resulting small
clusters are clustered. The mean cosine similarity of two sets of unit vectors is the product of their means, so the
second stage needs only the sum of each small cluster.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parley_core.job import SpeakerBounds
from parley_worker.engines.onnx.linkage import average_clusters
from parley_worker.engines.onnx.trunk import Floats, unit

Labels = NDArray[np.int64]
Numbers = NDArray[np.float64]

SECTION = 2000  # sub-segments of a section: 32 MB of distances, at least ten minutes of speech
TIGHT = 0.4  # mean cosine distance of the first stage, whose merges are final; 0.3 to 0.5 give the same results
MIN_COHESION = 0.05  # clusters that bounds force together may contain opposite vectors; their root must exist


@dataclass(frozen=True, slots=True)
class ClusteringParameters:
    """Parameters of the clustering.

    Attributes:
        threshold: one minus the affinity at which two clusters are one person.
        cohesion: prior of the cohesion.
        prior_weight: of that prior, in sub-segments.
        min_seconds: speech without overlap that makes a speaker, or a tenth of all speech if that is less.
    """

    threshold: float = 0.275
    cohesion: float = 0.35
    prior_weight: float = 12.0
    min_seconds: float = 1.0


DEFAULT = ClusteringParameters()
UNBOUNDED = SpeakerBounds()
PART_SECONDS = 6.0  # speech of the smaller part for a merge to say something about who speaks
PART_SHARE = 1 / 3  # of the speaker's speech: in an hour, somebody has six seconds in another tone
ALONE = 1.2  # distance to the next speaker of one who is the only one; few are as far from each other
FRAGMENTS = 0.1  # share of all speech that clusters beyond a wanted number may have to be left out


@dataclass(frozen=True, slots=True)
class FoundSpeakers:
    """The speakers of a recording, and how clearly they are one person each.

    Attributes:
        embeddings: unit vectors, shape (speakers, dimension).
        seconds: speech of each, shape (speakers,).
        joined: greatest distance at which two parts of each were merged that both have PART_SECONDS and PART_SHARE of
            their speech, shape (speakers,); 0 without such a merge.
        apart: distance of each to the nearest other one, at most ALONE, shape (speakers,).
    """

    embeddings: Floats
    seconds: Numbers
    joined: Numbers
    apart: Numbers

    @classmethod
    def of(cls, embeddings: Floats) -> FoundSpeakers:
        """Return speakers of whom nothing but the embeddings is known."""
        nothing = np.zeros(len(embeddings))
        return cls(embeddings, nothing, nothing, nothing + ALONE)


def find_speakers(
    subsegments: Floats, nearness: Floats, seconds: Floats, bounds: SpeakerBounds, parameters: ClusteringParameters
) -> FoundSpeakers:
    """Return the speakers of a recording with at least one sub-segment.

    Args:
        subsegments: unit vectors, shape (sub-segments, dimension).
        nearness: of each to strangers, shape (sub-segments,); see cohort.py.
        seconds: speech that each of them stands for, shape (sub-segments,).
        bounds: number of speakers, honoured if there are enough sub-segments.
        parameters: of the clustering.
    """
    small = _small_clusters(subsegments, nearness, bounds)
    spoken = np.bincount(small, seconds).astype(np.float64)
    near = np.bincount(small, nearness).astype(np.float64)
    clusters = SmallClusters(_sums(subsegments, small), near, np.bincount(small))
    tree = Dendrogram.of(clusters, parameters)
    labels = cut(tree, spoken, bounds, parameters)
    weighted = _sums(subsegments * seconds[:, None], small)
    speakers = speaker_labels(labels, spoken, parameters, bounds)
    return FoundSpeakers(
        unit(np.stack([weighted[labels == speaker].sum(axis=0) for speaker in speakers])),
        np.bincount(labels, spoken)[speakers].astype(np.float64),
        tree.joined(labels, spoken)[speakers],
        clusters.by_label(labels).distances(parameters, speakers).min(axis=1),
    )


@dataclass(frozen=True, slots=True)
class SmallClusters:
    """The result of the first stage.

    Attributes:
        sums: sum of the sub-segments of each, shape (clusters, dimension).
        nearness: sum of the nearness of its sub-segments, shape (clusters,).
        sizes: number of sub-segments in each, shape (clusters,).
    """

    sums: Floats
    nearness: Numbers
    sizes: Labels

    def by_label(self, labels: Labels) -> SmallClusters:
        """Return the clusters of which these are parts, given the label of each, 0 and up."""
        sums = _sums(self.sums, labels)
        near = np.bincount(labels, self.nearness).astype(np.float64)
        return SmallClusters(sums, near, np.bincount(labels, self.sizes).astype(np.int64))

    def distances(self, parameters: ClusteringParameters, some: Labels) -> Numbers:
        """Return one minus the affinity between some of the clusters, at most ALONE; ALONE to themselves."""
        affinity = _Clusters(self, parameters).affinity[np.ix_(some, some)]
        return np.asarray(np.minimum(1 - affinity, ALONE))


def cut(tree: Dendrogram, seconds: Numbers, bounds: SpeakerBounds, parameters: ClusteringParameters) -> Labels:
    """Return a label per small cluster, cut at the threshold or, where bounds forbid that, as near to it as possible.

    Where there are more speakers than wanted, and the surplus has little speech, the cut stays: leaving out a fragment
    of a speaker harms less than joining two people.

    Args:
        tree: of the small clusters.
        seconds: speech in each small cluster, shape (clusters,).
        bounds: of the number of speakers.
        parameters: of the clustering.
    """
    number = len(seconds)
    merges = tree.merges_within(parameters.threshold)
    labels = tree.labels(merges)
    found = len(speaker_labels(labels, seconds, parameters))
    wanted = min(max(found, bounds.min or 1), bounds.max or number, number)
    surplus = np.sort(np.bincount(labels, seconds))[:-wanted].sum()
    if found == wanted or (found > wanted and surplus <= FRAGMENTS * seconds.sum()):
        return labels
    fewer_merges = range(min(merges - 1, number - wanted), -1, -1)
    cuts = fewer_merges if found < wanted else range(merges + 1, number)
    misses = [abs(len(speaker_labels(tree.labels(merged), seconds, parameters)) - wanted) for merged in cuts]
    return tree.labels(cuts[int(np.argmin(misses))]) if misses else labels


def speaker_labels(
    labels: Labels, seconds: Numbers, parameters: ClusteringParameters, bounds: SpeakerBounds = UNBOUNDED
) -> Labels:
    """Return the labels of the clusters with enough speech for a speaker; if bounds demand it, more or fewer.

    Args:
        labels: per small cluster, 0 and up, shape (clusters,).
        seconds: speech in each small cluster, shape (clusters,).
        parameters: of the clustering.
        bounds: of the number of speakers; clusters with most speech come first.
    """
    spoken = np.bincount(labels, seconds)
    enough = spoken >= min(parameters.min_seconds, 0.1 * spoken.sum())
    number = min(max(int(enough.sum()), bounds.min or 1), bounds.max or len(spoken))
    return np.sort(np.argsort(-spoken, kind="stable")[:number])


@dataclass(frozen=True, slots=True)
class Dendrogram:
    """The merges of an agglomerative clustering, in order.

    Attributes:
        pairs: representatives of the two merged clusters, shape (merges, 2). The first one represents the result.
        distances: one minus their affinity, shape (merges,).
    """

    pairs: Labels
    distances: Numbers

    @classmethod
    def of(cls, small: SmallClusters, parameters: ClusteringParameters) -> Dendrogram:
        """Merge the two clusters of highest affinity until one cluster is left; arguments are those of `group`."""
        clusters = _Clusters(small, parameters)
        merges = [clusters.merge() for _ in range(len(small.sums) - 1)]
        pairs = np.array([(kept, gone) for kept, gone, _ in merges], np.int64).reshape(-1, 2)
        return cls(pairs, np.array([distance for _, _, distance in merges]))

    def merges_within(self, threshold: float) -> int:
        """Return the number of merges before the first one with a greater distance."""
        beyond = np.flatnonzero(self.distances > threshold)
        return int(beyond[0]) if len(beyond) else len(self.distances)

    def labels(self, merges: int) -> Labels:
        """Return a label per cluster, 0 and up, after a number of merges."""
        representative = np.arange(len(self.pairs) + 1)
        for kept, gone in self.pairs[:merges]:
            representative[representative == gone] = kept
        return np.asarray(np.unique(representative, return_inverse=True)[1], np.int64)

    def joined(self, labels: Labels, seconds: Numbers) -> Numbers:
        """Return the greatest distance at which two parts with enough speech became one cluster, per label.

        Args:
            labels: after some of the merges, shape (clusters,).
            seconds: speech of each cluster before the first merge, shape (clusters,).
        """
        least = np.maximum(PART_SECONDS, PART_SHARE * np.bincount(labels, seconds))
        greatest = np.zeros(labels.max() + 1)
        spoken = seconds.copy()
        for (kept, gone), distance in zip(self.pairs, self.distances, strict=True):
            if labels[kept] == labels[gone]:
                if min(spoken[kept], spoken[gone]) >= least[labels[kept]]:
                    greatest[labels[kept]] = max(greatest[labels[kept]], distance)
                spoken[kept] += spoken[gone]
        return greatest


class _Clusters:
    """The clusters and their affinities between two merges.

    Attributes:
        affinity: shape (clusters, clusters); minus infinity to themselves and of those that are gone.
    """

    def __init__(self, small: SmallClusters, parameters: ClusteringParameters) -> None:
        self._sums = small.sums.astype(np.float64)
        self._nearness = small.nearness.astype(np.float64)
        self._sizes = small.sizes.astype(np.float64)
        self._parameters = parameters
        self._scale = np.sqrt(self._cohesion(self._sums, self._nearness, self._sizes))
        self.affinity = np.array([self._affinities(cluster, slice(None)) for cluster in range(len(self._sums))])
        np.fill_diagonal(self.affinity, -np.inf)

    def merge(self) -> tuple[int, int, float]:
        """Merge the two clusters of highest affinity; return the one that stays, the one that goes, their distance."""
        best = np.unravel_index(self.affinity.argmax(), self.affinity.shape)
        kept, gone = sorted(int(cluster) for cluster in best)
        affinity = float(self.affinity[kept, gone])
        self._sums[kept] += self._sums[gone]
        self._nearness[kept] += self._nearness[gone]
        self._sizes[kept] += self._sizes[gone]
        self._scale[kept] = np.sqrt(self._cohesion(self._sums[kept], self._nearness[kept], self._sizes[kept]))
        self.affinity[gone] = self.affinity[:, gone] = -np.inf
        others = np.isfinite(self.affinity[kept])
        self.affinity[kept, others] = self._affinities(kept, others)
        self.affinity[others, kept] = self.affinity[kept, others]
        return kept, gone, 1 - affinity

    def _affinities(self, cluster: int, others: NDArray[np.bool_] | slice) -> Numbers:
        """Return the affinity of one cluster to others, shape (others,)."""
        sizes = self._sizes[others]
        similarity = self._sums[others] @ self._sums[cluster] / (sizes * self._sizes[cluster])
        nearness = self._nearness[others] / sizes + self._nearness[cluster] / self._sizes[cluster]
        return np.asarray((similarity - nearness / 2) / (self._scale[others] * self._scale[cluster]))

    def _cohesion(self, sums: Numbers, nearness: Numbers, sizes: Numbers) -> Numbers:
        """Return the mean similarity of all pairs of sub-segments of a cluster, shrunk towards the prior."""
        pairs = np.einsum("...i,...i", sums, sums) - sizes  # without the pairs of a sub-segment with itself
        own = pairs / np.maximum(sizes - 1, 1) - nearness  # mean times size: it is weighted by the size
        weight = self._parameters.prior_weight
        known = np.where(sizes > 1, sizes, 0)
        evidence = np.where(sizes > 1, own, 0) + weight * self._parameters.cohesion
        return np.asarray(np.maximum(evidence / (known + weight), MIN_COHESION))


def _small_clusters(subsegments: Floats, nearness: Floats, bounds: SpeakerBounds) -> Labels:
    """Return a tight cluster per sub-segment; its own one if bounds demand more clusters than there would be."""
    labels = np.zeros(len(subsegments), np.int64)
    for start in range(0, len(subsegments), SECTION):
        part = slice(start, start + SECTION)
        labels[part] = _tight(subsegments[part], nearness[part]) + (labels.max() + 1 if start else 0)
    enough = labels.max() + 1 >= (bounds.min or 1) or len(subsegments) > SECTION
    return labels if enough else np.arange(len(subsegments))


def _tight(subsegments: Floats, nearness: Floats) -> Labels:
    distances = 1 - subsegments @ subsegments.T + (nearness[:, None] + nearness) / 2
    return average_clusters(distances.clip(0), TIGHT)


def _sums(vectors: Floats, labels: Labels) -> Floats:
    sums = np.zeros((labels.max() + 1, vectors.shape[1]), np.float32)
    np.add.at(sums, labels, vectors)
    return sums
