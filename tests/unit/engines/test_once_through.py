"""The default engine's rooms one by one, on numbers small enough to see through."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

from parley_core.job import SpeakerBounds
from parley_worker.engines.onnx import assignment, clustering, embedding, grid, models, segmentation, trunk
from parley_worker.engines.onnx.assignment import Assignment, cell_of
from parley_worker.engines.onnx.clustering import DEFAULT, Tree, centroids, speakers_among
from parley_worker.engines.onnx.decision import Decision
from parley_worker.engines.onnx.embedding import Voices
from parley_worker.engines.onnx.segmentation import POWERSET, Segmentation

SECONDS = np.float32
STEP = 5 * grid.SAMPLE_RATE


def pieces_of(sizes: list[int], spread: float = 0.08) -> NDArray[np.float32]:
    """Unit vectors around as many right-angled voices as there are sizes, in 192 dimensions, shuffled."""
    random = np.random.default_rng(5)
    centres = np.repeat(np.eye(len(sizes), 192), sizes, axis=0)
    points = centres + random.normal(0, spread / np.sqrt(2), centres.shape) * (np.arange(192) < 24)
    return trunk.unit(random.permutation(points).astype(np.float32))


def found(sizes: list[int], least: int | None = None, most: int | None = None) -> NDArray[np.float32]:
    pieces = pieces_of(sizes)
    return centroids(pieces, np.full(len(pieces), 2, SECONDS), SpeakerBounds(least, most), DEFAULT)


@pytest.mark.parametrize("sizes", [[5], [8, 12], [10] * 5])
def test_each_voice_becomes_a_speaker_that_sounds_like_it(sizes: list[int]) -> None:
    speakers = found(sizes)
    nearness = speakers @ np.eye(len(sizes), 192).T
    assert len(speakers) == len(sizes)
    assert (np.sort(nearness.max(axis=0)) > 0.9).all()
    np.testing.assert_allclose(np.linalg.norm(speakers, axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize(("least", "most", "number"), [(1, 2, 2), (3, 3, 3), (5, None, 5), (1, 1, 1), (60, 60, 60)])
def test_bounds_are_honoured_up_to_the_number_of_pieces(least: int, most: int | None, number: int) -> None:
    assert len(found([20, 20, 20], least, most)) == number


def test_more_speakers_than_pieces_cannot_be_found() -> None:
    assert len(found([2, 1], 9, 9)) == 3


def test_a_voice_of_half_a_second_is_nobody_where_others_speak_for_long() -> None:
    seconds = np.array([20.0, 0.5, 9.0])
    assert speakers_among(np.array([0, 1, 2]), seconds, DEFAULT).tolist() == [0, 2]
    assert speakers_among(np.array([0, 1, 2]), seconds, DEFAULT, SpeakerBounds(3, 3)).tolist() == [0, 1, 2]
    assert speakers_among(np.array([0, 1, 2]), seconds, DEFAULT, SpeakerBounds(1, 1)).tolist() == [0]


def test_where_coherence_is_taken_for_granted_the_tree_is_that_of_average_linkage() -> None:
    """Groups of copies: the tree over their sums has the heights that scipy finds over all the members."""
    random = np.random.default_rng(2)
    points = trunk.unit(random.normal(0.3, 1, (9, 16)).astype(np.float32))
    sizes = np.array([1, 4, 2, 3, 1, 1, 5, 2, 1])
    members = linkage(np.repeat(points, sizes, axis=0), "average", metric="cosine")
    tree = Tree.grown(points * sizes[:, None], sizes, replace(DEFAULT, coherence=1, weight=1e12))
    np.testing.assert_allclose(tree.distances, members[sizes.sum() - 9 :, 2], atol=1e-6)
    for height in (0.5, 0.8, 1.0):
        labels = tree.labels(tree.joins_within(height))
        assert labels.max() + 1 == len(set(fcluster(members, height, "distance")))


def two_clusters(size: int, cosine: float) -> Tree:
    """Two clusters of so many pieces, all pairs inside with a cosine of 0.7, all pairs across with this one."""
    axes = np.eye(2 * size + 3)
    shared, own = np.sqrt(cosine) * axes[0], np.sqrt(0.7 - cosine)
    sums = [
        size * (shared + own * axes[1 + n]) + np.sqrt(0.3) * axes[3 + n * size :][:size].sum(axis=0) for n in (0, 1)
    ]
    return Tree.grown(np.array(sums, np.float32), np.array([size, size]), DEFAULT)


def test_small_clusters_are_joined_where_large_ones_are_told_apart() -> None:
    assert two_clusters(2, 0.37).joins_within(DEFAULT.threshold) == 1
    assert two_clusters(40, 0.37).joins_within(DEFAULT.threshold) == 0
    np.testing.assert_allclose(two_clusters(2, 0.37).distances, 1 - 0.37 / ((2 * 0.7 + 8 * 0.4) / 10), atol=1e-6)


def test_a_tree_can_be_cut_into_any_number_of_clusters() -> None:
    pieces = pieces_of([3, 4, 5])
    tree = Tree.grown(pieces, np.ones(12, np.int64), DEFAULT)
    assert [tree.labels(joins).max() + 1 for joins in range(12)] == list(range(12, 0, -1))


def test_a_long_recording_in_two_stages_has_the_same_speakers(monkeypatch: pytest.MonkeyPatch) -> None:
    once = found([60, 60, 60, 60])
    monkeypatch.setattr(clustering, "STRETCH", 50)
    np.testing.assert_allclose(np.sort(found([60, 60, 60, 60]), axis=0), np.sort(once, axis=0), atol=1e-3)


class Listener:
    """Stands for the segmentation model: local speaker 0 speaks throughout, the second one with this probability."""

    def __init__(self, second: float) -> None:
        self._second = second

    def run(
        self, _outputs: object, feed: dict[str, NDArray[np.float32]], _options: object = None
    ) -> list[NDArray[np.float32]]:
        scores = np.full((len(feed["x"]), grid.FRAMES, len(POWERSET)), 1e-9, np.float32)
        scores[..., 1], scores[..., 4] = 1 - self._second, self._second
        return [np.log(scores)]


@pytest.mark.parametrize(("second", "count"), [(0.1, 1), (0.35, 1), (0.45, 2)])
def test_the_count_is_what_the_probabilities_expect(second: float, count: int) -> None:
    waveform = np.zeros(int(23 * grid.SAMPLE_RATE), np.float32)
    heard = segmentation.segment(Listener(second), waveform, STEP, lambda _share: None)
    assert heard.activity.shape == (4, grid.FRAMES, 3)
    assert set(heard.count.tolist()) == {count}


def test_speech_dies_away_a_little_after_the_model_ceases_to_hear_it() -> None:
    expected = np.zeros(30)
    expected[10:14] = 0.9
    assert np.flatnonzero(segmentation.counted(expected)).tolist() == list(range(10, 14 + segmentation.TAIL))


def test_what_the_way_to_the_microphone_adds_is_in_no_voice() -> None:
    session = models.open_session(models.exposing(models.read_model(models.EMBEDDING), trunk.INSIDE), threads=1)
    frames = np.random.default_rng(0).random((100, 512), np.float32)
    voices = trunk.Head(session).embed(frames, np.arange(100) < np.array([[100], [50], [1]]))
    np.testing.assert_allclose(voices @ trunk.channel_directions().T, 0, atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(voices, axis=1), [1, 1, 0], atol=1e-5)
    assert (voices < 0).any()


def two_speakers_in_one_local() -> tuple[Segmentation, Voices]:
    """One window in which local speaker 0 talks throughout, though the voice changes in its middle."""
    activity = np.zeros((1, grid.FRAMES, 3), np.uint8)
    activity[..., 0] = 1
    voices = np.eye(2, trunk.DIMENSION, dtype=np.float32)
    cells = np.repeat(voices, 50, axis=0).astype(np.float16)
    local = np.zeros((1, 3, trunk.DIMENSION), np.float32)
    local[0, 0] = voices[0]
    heard = Segmentation(STEP, activity, np.ones(grid.FRAMES, np.int64), np.ones(grid.FRAMES, np.float32))
    return heard, Voices(local, voices, np.ones(2, SECONDS), cells)


def test_a_moment_goes_to_whom_it_sounds_like_even_against_the_window() -> None:
    heard, voices = two_speakers_in_one_local()
    active = Assignment(heard, voices, voices.pieces).active(heard.count)
    middle = grid.FRAMES // 2
    assert active[: middle - 3].tolist() == [[True, False]] * (middle - 3)
    assert active[middle + 4 :].tolist() == [[False, True]] * (grid.FRAMES - middle - 4)


def test_without_a_voice_the_window_decides() -> None:
    heard, voices = two_speakers_in_one_local()
    mute = Voices(voices.local, voices.pieces, voices.weights, np.zeros_like(voices.cells))
    assert Assignment(heard, mute, voices.pieces).active(heard.count).tolist() == [[True, False]] * grid.FRAMES


def test_who_must_be_there_is_given_a_moment_even_if_somebody_else_is_always_nearer() -> None:
    heard, voices = two_speakers_in_one_local()
    people = np.concatenate([voices.pieces, -np.eye(3, trunk.DIMENSION, dtype=np.float32)[2:]])
    free, bound = (Decision(heard, voices, people, SpeakerBounds(least)).active for least in (None, 3))
    assert free.any(axis=0).tolist() == [True, True, False]
    assert bound.any(axis=0).tolist() == [True, True, True]
    assert bound[:, 2].sum() == assignment.MOMENT


def test_cells_lie_every_tenth_of_a_second() -> None:
    at = grid.frame_seconds(np.arange(3000))
    assert np.abs(cell_of(np.arange(3000)) / 10 + 0.0125 - at).max() <= 0.0501


@pytest.mark.parametrize("hop", [125, 250, 400])
@pytest.mark.parametrize("windows", [1, 2, 7])
def test_every_cell_belongs_to_one_window_that_hears_around_it(windows: int, hop: int) -> None:
    cells = [embedding._cells_of(window, windows, hop) for window in range(windows)]
    assert np.concatenate(cells).tolist() == list(range((hop * (windows - 1) + embedding.WINDOW) // embedding.CELL))


@pytest.mark.parametrize("features", [1, 2, 399, 2601, 7777, 100_001])
def test_blocks_hear_what_lies_around_them_in_whole_units(features: int) -> None:
    for start, end in trunk.block_bounds(features):
        first, last = trunk._with_margins(start, end, features)
        assert first % trunk.STRIDE == 0
        assert first <= max(0, start - trunk.MARGIN) and last >= min(features, end + trunk.MARGIN)
        assert first == 0 or (last - first) % trunk.UNIT in (0, trunk.UNIT - 1)


@pytest.mark.parametrize("features", [0, 1, 2, 3000, 4501, 100_000])
def test_blocks_cover_the_recording_and_none_is_short(features: int) -> None:
    bounds = trunk.block_bounds(features)
    assert [edge for pair in bounds for edge in pair][1:-1:2] == [start for start, _ in bounds[1:]]
    assert not features or (bounds[0][0], bounds[-1][1]) == (0, features)
    assert all(end - start >= 1700 for start, end in bounds) or features < 3900
