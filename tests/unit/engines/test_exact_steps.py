"""The steps of the reference engine, on points and windows small enough to check by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from parley_core.job import SpeakerBounds
from parley_worker.engines.exact.clustering import NO_SPEAKER, ClusteringParameters, assign, group
from parley_worker.engines.exact.counting import STEP, speaker_count
from parley_worker.engines.exact.embedding import speaker_masks
from parley_worker.engines.onnx import grid
from parley_worker.engines.onnx.frames import segments, select_speakers, speaker_votes, windows_per_frame

PARAMETERS = ClusteringParameters()


def points_of(sizes: list[int], spread: float = 0.02) -> NDArray[np.float32]:
    """Points around as many right-angled directions as there are sizes."""
    random = np.random.default_rng(3)
    centres = np.repeat(np.eye(len(sizes), 12), sizes, axis=0)
    return (centres + random.normal(0, spread, centres.shape)).astype(np.float32)


def windows(*activities: list[list[int]]) -> NDArray[np.uint8]:
    """One window per argument: rows are frames, columns the three local speakers."""
    return np.array(activities, np.uint8)


@pytest.mark.parametrize("sizes", [[9], [8, 12], [10, 10, 10], [7] * 6])
def test_each_direction_becomes_one_cluster(sizes: list[int]) -> None:
    labels = group(points_of(sizes), SpeakerBounds(), PARAMETERS)
    assert [len(set(part)) for part in np.split(labels, np.cumsum(sizes)[:-1])] == [1] * len(sizes)
    assert sorted(set(labels.tolist())) == list(range(len(sizes)))


def test_a_cluster_too_small_for_a_speaker_merges_into_the_nearest() -> None:
    assert set(group(points_of([70, 70, 2]), SpeakerBounds(), PARAMETERS).tolist()) == {0, 1}


@pytest.mark.parametrize(("least", "most", "found"), [(1, 2, 2), (3, 3, 3), (4, 9, 4), (1, 1, 1), (None, None, 3)])
def test_bounds_are_honoured(least: int | None, most: int | None, found: int) -> None:
    """Three clusters, one of which is two that are very similar."""
    points = points_of([20, 20, 20, 20])
    points[60:] = 0.4 * points[60:] + 0.9 * points[:20]
    assert len(set(group(points, SpeakerBounds(least, most), PARAMETERS).tolist())) == found


def test_there_are_never_more_speakers_than_points() -> None:
    assert group(points_of([2]), SpeakerBounds(5, 5), PARAMETERS).tolist() in ([0, 1], [0, 0])
    assert group(points_of([0]), SpeakerBounds(2, 2), PARAMETERS).tolist() == []


def test_silent_local_speakers_have_no_speaker() -> None:
    activity = np.zeros((2, grid.FRAMES, 3), np.uint8)
    activity[:, :400, 0] = 1
    embeddings = np.full((2, 3, 12), np.nan, np.float32)
    embeddings[:, 0] = points_of([2])[0]
    assert assign(embeddings, activity, SpeakerBounds(), PARAMETERS).tolist() == [[0, NO_SPEAKER, NO_SPEAKER]] * 2


def test_overlapped_speech_is_left_out_of_the_embedding_of_a_speaker_who_is_alone_elsewhere() -> None:
    activity = np.zeros((grid.FRAMES, 3), np.uint8)
    activity[:300, 0] = activity[200:400, 1] = activity[250:300, 2] = 1
    alone = speaker_masks(activity).sum(axis=1) / 998 * grid.FRAMES
    np.testing.assert_allclose(alone, [200, 100, 50], atol=2)


def test_the_number_of_speakers_is_the_mean_over_windows() -> None:
    one, two = [[1, 0, 0]] * grid.FRAMES, [[1, 0, 1]] * grid.FRAMES
    count = speaker_count(windows(one, two, two))
    shared = slice(grid.first_frames(3, STEP)[2], grid.FRAMES)
    assert set(count[shared].tolist()) == {2}
    assert count[0] == 1


def test_windows_vote_and_the_speakers_with_most_votes_are_active() -> None:
    frames = [[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 0]]
    votes = speaker_votes(windows(frames), np.array([[1, 0, NO_SPEAKER]]), STEP)
    assert votes.tolist() == [[0, 1], [1, 1], [1, 0], [0, 0]]
    assert select_speakers(votes, np.array([1, 2, 1, 0])).tolist() == [
        [False, True],
        [True, True],
        [True, False],
        [False] * 2,
    ]


def test_with_a_step_of_five_seconds_two_windows_cover_each_frame_except_at_the_ends() -> None:
    """The frames of a window span slightly less than ten seconds, so one frame in a hundred has one window."""
    covered = windows_per_frame(4, 5 * grid.SAMPLE_RATE)
    starts = grid.first_frames(4, 5 * grid.SAMPLE_RATE)
    assert (covered[: starts[1]] == 1).all()
    assert (covered[starts[2] + grid.FRAMES :] == 1).all()
    assert covered[starts[1] : starts[2] + grid.FRAMES].mean() > 1.98


def test_two_simultaneous_speakers_are_two_even_if_clustering_found_one() -> None:
    assert select_speakers(np.array([[3], [3]], np.uint8), np.array([1, 2])).tolist() == [[True, False], [True, True]]


def test_segments_start_and_end_with_the_activity() -> None:
    active = np.array([[0, 1], [1, 1], [1, 0], [0, 0], [1, 0]], np.bool_)
    at = grid.frame_seconds(np.arange(6))
    assert [found[:3] for found in segments(active)] == [(at[1], at[3], 0), (at[4], at[5], 0), (at[0], at[2], 1)]
