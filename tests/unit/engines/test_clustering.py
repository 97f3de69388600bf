"""The clustering of the default engine, on vectors small enough to check by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

from parley_core.job import SpeakerBounds
from parley_worker.engines.onnx import clustering, trunk
from parley_worker.engines.onnx.clustering import DEFAULT, Dendrogram, SmallClusters, cut, find_speakers, speaker_labels


def subsegments_of(sizes: list[int], spread: float = 0.08) -> NDArray[np.float32]:
    """Unit vectors around as many orthogonal centres as there are sizes, in 192 dimensions, shuffled."""
    random = np.random.default_rng(5)
    centres = np.repeat(np.eye(len(sizes), 192), sizes, axis=0)
    points = centres + random.normal(0, spread / np.sqrt(2), centres.shape) * (np.arange(192) < 24)
    return trunk.unit(random.permutation(points).astype(np.float32))


def small_clusters(sums: NDArray[np.floating], sizes: NDArray[np.int64], nearness: float = 0.0) -> SmallClusters:
    """Clusters whose sub-segments are all equally near to strangers."""
    return SmallClusters(np.asarray(sums, np.float32), nearness * sizes, sizes)


def found(sizes: list[int], least: int | None = None, most: int | None = None) -> NDArray[np.float32]:
    subsegments = subsegments_of(sizes)
    seconds = np.full(len(subsegments), 2, np.float32)
    return find_speakers(subsegments, np.zeros_like(seconds), seconds, SpeakerBounds(least, most), DEFAULT).embeddings


@pytest.mark.parametrize("sizes", [[5], [8, 12], [10] * 5])
def test_each_centre_becomes_a_speaker_with_a_similar_embedding(sizes: list[int]) -> None:
    speakers = found(sizes)
    similarity = speakers @ np.eye(len(sizes), 192).T
    assert len(speakers) == len(sizes)
    assert (np.sort(similarity.max(axis=0)) > 0.9).all()
    np.testing.assert_allclose(np.linalg.norm(speakers, axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize(("least", "most", "number"), [(1, 2, 2), (3, 3, 3), (5, None, 5), (1, 1, 1), (60, 60, 60)])
def test_bounds_are_honoured_up_to_the_number_of_subsegments(least: int, most: int | None, number: int) -> None:
    assert len(found([20, 20, 20], least, most)) == number


def test_a_merge_of_two_long_parts_is_remembered() -> None:
    """Clusters 0 and 1 merge at 0.1, then 2 and 3 at 0.2; the smaller part of the second merge is too short."""
    tree = Dendrogram(np.array([[0, 1], [2, 3], [0, 2]]), np.array([0.1, 0.2, 0.9]))
    labels = tree.labels(2)
    assert tree.joined(labels, np.array([9.0, 7.0, 9.0, 5.5])).tolist() == [0.1, 0.0]
    assert tree.joined(labels, np.array([9.0, 7.0, 90.0, 30.0])).tolist() == [0.1, 0.0]
    assert tree.joined(tree.labels(3), np.array([9.0, 7.0, 9.0, 5.5])).tolist() == [0.9]


def test_found_speakers_have_their_seconds_and_their_distance_to_the_next_one() -> None:
    subsegments = subsegments_of([20, 30])
    seconds = np.full(50, 2, np.float32)
    speakers = find_speakers(subsegments, np.zeros(50, np.float32), seconds, SpeakerBounds(), DEFAULT)
    assert sorted(speakers.seconds) == [40, 60]
    assert speakers.apart == pytest.approx([1, 1], abs=0.2)
    assert speakers.joined.shape == (2,)
    alone = find_speakers(subsegments, np.zeros(50, np.float32), seconds, SpeakerBounds(1, 1), DEFAULT)
    assert alone.apart == clustering.ALONE
    assert alone.joined == pytest.approx(1, abs=0.2)


def test_there_are_never_more_speakers_than_subsegments() -> None:
    assert len(found([2, 1], 9, 9)) == 3


def test_half_a_second_of_speech_makes_no_speaker_beside_long_ones_unless_bounds_demand_it() -> None:
    seconds = np.array([20.0, 0.5, 9.0])
    assert speaker_labels(np.array([0, 1, 2]), seconds, DEFAULT).tolist() == [0, 2]
    assert speaker_labels(np.array([0, 1, 2]), seconds, DEFAULT, SpeakerBounds(3, 3)).tolist() == [0, 1, 2]
    assert speaker_labels(np.array([0, 1, 2]), seconds, DEFAULT, SpeakerBounds(1, 1)).tolist() == [0]


def test_with_a_dominant_prior_the_dendrogram_is_that_of_average_linkage() -> None:
    """Groups of copies: the dendrogram over their sums has the heights that scipy finds over all members."""
    random = np.random.default_rng(2)
    points = trunk.unit(random.normal(0.3, 1, (9, 16)).astype(np.float32))
    sizes = np.array([1, 4, 2, 3, 1, 1, 5, 2, 1])
    members = linkage(np.repeat(points, sizes, axis=0), "average", metric="cosine")
    tree = Dendrogram.of(
        small_clusters(points * sizes[:, None], sizes), replace(DEFAULT, cohesion=1, prior_weight=1e12)
    )
    np.testing.assert_allclose(tree.distances, members[sizes.sum() - 9 :, 2], atol=1e-6)
    for height in (0.5, 0.8, 1.0):
        labels = tree.labels(tree.merges_within(height))
        assert labels.max() + 1 == len(set(fcluster(members, height, "distance")))


def two_clusters(size: int, cosine: float, nearness: float = 0.0) -> Dendrogram:
    """Two clusters of `size` sub-segments: pairs inside have a cosine of 0.7, pairs across `cosine`."""
    axes = np.eye(2 * size + 3)
    common, own = np.sqrt(cosine) * axes[0], np.sqrt(0.7 - cosine)
    sums = [
        size * (common + own * axes[1 + n]) + np.sqrt(0.3) * axes[3 + n * size :][:size].sum(axis=0) for n in (0, 1)
    ]
    return Dendrogram.of(small_clusters(np.array(sums), np.array([size, size]), nearness), DEFAULT)


def test_small_clusters_merge_at_a_similarity_at_which_large_ones_stay_apart() -> None:
    assert two_clusters(2, 0.37).merges_within(DEFAULT.threshold) == 1
    assert two_clusters(40, 0.37).merges_within(DEFAULT.threshold) == 0
    np.testing.assert_allclose(two_clusters(2, 0.37).distances, 1 - 0.37 / ((2 * 0.7 + 12 * 0.35) / 14), atol=1e-6)


def test_two_people_who_are_near_to_strangers_stay_apart_at_a_similarity_at_which_others_merge() -> None:
    assert two_clusters(40, 0.5).merges_within(DEFAULT.threshold) == 1
    assert two_clusters(40, 0.5, nearness=0.15).merges_within(DEFAULT.threshold) == 0


def test_a_fragment_goes_before_two_people_are_joined() -> None:
    axes = np.eye(4, dtype=np.float32)
    people = np.stack([axes[0], 0.3 * axes[0] + 0.95 * axes[1], axes[2]])
    tree = Dendrogram.of(small_clusters(people * 10, np.array([10, 10, 10])), DEFAULT)
    fragment, person = np.array([20.0, 20.0, 2.0]), np.array([20.0, 20.0, 20.0])
    assert len(set(cut(tree, fragment, SpeakerBounds(2, 2), DEFAULT))) == 3
    assert len(set(cut(tree, person, SpeakerBounds(2, 2), DEFAULT))) == 2


def test_a_dendrogram_can_be_cut_into_any_number_of_clusters() -> None:
    subsegments = subsegments_of([3, 4, 5])
    tree = Dendrogram.of(small_clusters(subsegments, np.ones(12, np.int64)), DEFAULT)
    assert [tree.labels(merges).max() + 1 for merges in range(12)] == list(range(12, 0, -1))


def test_a_long_recording_in_two_stages_has_the_same_speakers(monkeypatch: pytest.MonkeyPatch) -> None:
    one_stage = found([60, 60, 60, 60])
    monkeypatch.setattr(clustering, "SECTION", 50)
    np.testing.assert_allclose(np.sort(found([60, 60, 60, 60]), axis=0), np.sort(one_stage, axis=0), atol=1e-3)
