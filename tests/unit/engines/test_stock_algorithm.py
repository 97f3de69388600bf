"""pyannote's clustering and reconstruction, on points and windows small enough to see through."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from parley_core.job import SpeakerBounds
from parley_worker.engines.exact.clustering import NOBODY, ClusteringParameters, assign, group
from parley_worker.engines.exact.counting import STEP, speaker_count
from parley_worker.engines.exact.embedding import spoken_frames
from parley_worker.engines.onnx import grid
from parley_worker.engines.onnx.frames import covering, speaker_votes, stretches, strongest

PARAMETERS = ClusteringParameters()


def voices(sizes: list[int], spread: float = 0.02) -> NDArray[np.float32]:
    """Points around as many right-angled directions as there are sizes."""
    random = np.random.default_rng(3)
    centres = np.repeat(np.eye(len(sizes), 12), sizes, axis=0)
    return (centres + random.normal(0, spread, centres.shape)).astype(np.float32)


def windows(*activities: list[list[int]]) -> NDArray[np.uint8]:
    """One window per argument: rows are frames, columns the three local speakers."""
    return np.array(activities, np.uint8)


@pytest.mark.parametrize("sizes", [[9], [8, 12], [10, 10, 10], [7] * 6])
def test_each_voice_becomes_one_cluster(sizes: list[int]) -> None:
    labels = group(voices(sizes), SpeakerBounds(), PARAMETERS)
    assert [len(set(part)) for part in np.split(labels, np.cumsum(sizes)[:-1])] == [1] * len(sizes)
    assert sorted(set(labels.tolist())) == list(range(len(sizes)))


def test_a_voice_too_small_for_a_speaker_joins_the_nearest() -> None:
    assert set(group(voices([70, 70, 2]), SpeakerBounds(), PARAMETERS).tolist()) == {0, 1}


@pytest.mark.parametrize(("least", "most", "found"), [(1, 2, 2), (3, 3, 3), (4, 9, 4), (1, 1, 1), (None, None, 3)])
def test_bounds_are_honoured(least: int | None, most: int | None, found: int) -> None:
    """Three voices, one of which is two that are much alike."""
    points = voices([20, 20, 20, 20])
    points[60:] = 0.4 * points[60:] + 0.9 * points[:20]
    assert len(set(group(points, SpeakerBounds(least, most), PARAMETERS).tolist())) == found


def test_there_are_never_more_speakers_than_points() -> None:
    assert group(voices([2]), SpeakerBounds(5, 5), PARAMETERS).tolist() in ([0, 1], [0, 0])
    assert group(voices([0]), SpeakerBounds(2, 2), PARAMETERS).tolist() == []


def test_silent_local_speakers_are_nobody() -> None:
    activity = np.zeros((2, grid.FRAMES, 3), np.uint8)
    activity[:, :400, 0] = 1
    embeddings = np.full((2, 3, 12), np.nan, np.float32)
    embeddings[:, 0] = voices([2])[0]
    assert assign(embeddings, activity, SpeakerBounds(), PARAMETERS).tolist() == [[0, NOBODY, NOBODY]] * 2


def test_overlapped_speech_is_left_out_of_a_voice_when_it_speaks_alone_too() -> None:
    activity = np.zeros((grid.FRAMES, 3), np.uint8)
    activity[:300, 0] = activity[200:400, 1] = activity[250:300, 2] = 1
    alone = spoken_frames(activity).sum(axis=1) / 998 * grid.FRAMES
    np.testing.assert_allclose(alone, [200, 100, 50], atol=2)


def test_the_number_of_speakers_is_the_mean_over_windows() -> None:
    one, two = [[1, 0, 0]] * grid.FRAMES, [[1, 0, 1]] * grid.FRAMES
    count = speaker_count(windows(one, two, two))
    shared = slice(grid.first_frames(3, STEP)[2], grid.FRAMES)
    assert set(count[shared].tolist()) == {2}
    assert count[0] == 1


def test_windows_vote_and_the_strongest_speak() -> None:
    frames = [[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 0]]
    votes = speaker_votes(windows(frames), np.array([[1, 0, NOBODY]]), STEP)
    assert votes.tolist() == [[0, 1], [1, 1], [1, 0], [0, 0]]
    assert strongest(votes, np.array([1, 2, 1, 0])).tolist() == [
        [False, True],
        [True, True],
        [True, False],
        [False] * 2,
    ]


def test_a_step_of_five_seconds_lets_two_windows_hear_each_moment_but_at_the_ends() -> None:
    """A window's frames are a little shorter than ten seconds, so three frames in three hundred have one window."""
    heard = covering(4, 5 * grid.SAMPLE_RATE)
    starts = grid.first_frames(4, 5 * grid.SAMPLE_RATE)
    assert (heard[: starts[1]] == 1).all()
    assert (heard[starts[2] + grid.FRAMES :] == 1).all()
    assert heard[starts[1] : starts[2] + grid.FRAMES].mean() > 1.98


def test_two_voices_at_once_are_two_speakers_even_where_clustering_found_one() -> None:
    assert strongest(np.array([[3], [3]], np.uint8), np.array([1, 2])).tolist() == [[True, False], [True, True]]


def test_stretches_begin_and_end_with_the_activity() -> None:
    active = np.array([[0, 1], [1, 1], [1, 0], [0, 0], [1, 0]], np.bool_)
    at = grid.frame_seconds(np.arange(6))
    assert [found[:3] for found in stretches(active)] == [(at[1], at[3], 0), (at[4], at[5], 0), (at[0], at[2], 1)]
