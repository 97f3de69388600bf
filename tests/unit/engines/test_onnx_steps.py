"""The steps of the default engine around its clustering, on inputs small enough to check by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from parley_core.errors import JobCancelled
from parley_core.job import SpeakerBounds
from parley_worker.engines.onnx import assignment, embedding, grid, models, segmentation, trunk
from parley_worker.engines.onnx.assignment import Assignment, embedding_frame
from parley_worker.engines.onnx.clustering import FoundSpeakers
from parley_worker.engines.onnx.decision import Decision
from parley_worker.engines.onnx.embedding import Embeddings
from parley_worker.engines.onnx.integer_segmentation import IntegerSegmentation
from parley_worker.engines.onnx.integer_trunk import IntegerTrunk
from parley_worker.engines.onnx.segmentation import POWERSET, Segmentation
from tests.support import arithmetic

STEP = 5 * grid.SAMPLE_RATE


class SegmentationModel:
    """A model in which local speaker 0 speaks throughout, and local speaker 1 with a given probability."""

    def __init__(self, second: float) -> None:
        self._second = second

    def run(
        self, _outputs: object, feed: dict[str, NDArray[np.float32]], _options: object = None
    ) -> list[NDArray[np.float32]]:
        scores = np.full((len(feed["x"]), grid.FRAMES, len(POWERSET)), 1e-9, np.float32)
        scores[..., 1], scores[..., 4] = 1 - self._second, self._second
        return [np.log(scores)]


@pytest.mark.parametrize(("second", "count"), [(0.1, 1), (0.35, 1), (0.45, 2)])
def test_the_count_follows_from_the_expected_number_of_speakers(second: float, count: int) -> None:
    waveform = np.zeros(int(23 * grid.SAMPLE_RATE), np.float32)
    found = segmentation.segment(SegmentationModel(second), waveform, STEP, lambda _share: None)
    assert found.activity.shape == (4, grid.FRAMES, 3)
    assert set(found.count.tolist()) == {count}


def test_speech_is_prolonged_by_the_hangover() -> None:
    expected = np.zeros(30)
    expected[10:14] = 0.9
    spoken = np.flatnonzero(segmentation.speaker_count(expected)).tolist()
    assert spoken == list(range(10, 14 + segmentation.HANGOVER))


def one_window(speaker: int, heard: slice) -> Segmentation:
    """One window in which a local speaker is heard."""
    activity = np.zeros((1, grid.FRAMES, 3), np.uint8)
    activity[0, heard, speaker] = 1
    expected = activity[0].sum(axis=1).astype(np.float32)
    return Segmentation(STEP, activity, segmentation.speaker_count(expected), expected)


@pytest.mark.parametrize(("end", "missed"), [(200 + segmentation.LOST // 2, False), (400, True)])
def test_speech_that_one_segmentation_misses_for_long_comes_from_the_other(end: int, missed: bool) -> None:
    less, more = one_window(0, slice(200)), one_window(2, slice(end))
    found = less.completed(more)
    np.testing.assert_array_equal(found.activity, more.activity if missed else less.activity)
    assert found.count[: end - segmentation.LOST].all()
    assert found.count[200 + segmentation.HANGOVER : end].all() == missed or end == 200 + segmentation.LOST // 2


def test_embeddings_have_no_component_in_the_channel_subspace() -> None:
    frames = np.random.default_rng(0).random((100, 512), np.float32)
    embeddings = trunk.Head(trunk.ReleasedTrunk().last_layer).embed(
        frames, np.arange(100) < np.array([[100], [50], [1]])
    )
    np.testing.assert_allclose(embeddings @ trunk.channel_subspace().T, 0, atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), [1, 1, 0], atol=1e-5)
    assert (embeddings < 0).any()


def two_speakers_in_one_local() -> tuple[Segmentation, Embeddings]:
    """One window in which local speaker 0 is active throughout, though the embedding changes in its middle."""
    activity = np.zeros((1, grid.FRAMES, 3), np.uint8)
    activity[..., 0] = 1
    speakers = np.eye(2, trunk.DIMENSION, dtype=np.float32)
    frames = np.repeat(speakers, 50, axis=0).astype(np.float16)
    local = np.zeros((1, 3, trunk.DIMENSION), np.float32)
    local[0, 0] = speakers[0]
    found = Segmentation(STEP, activity, np.ones(grid.FRAMES, np.int64), np.ones(grid.FRAMES, np.float32))
    return found, Embeddings(local, speakers, np.ones(2, np.float32), frames)


def test_a_frame_is_given_to_the_most_similar_speaker_even_against_the_votes() -> None:
    found, embeddings = two_speakers_in_one_local()
    active = Assignment(found, embeddings, embeddings.subsegments).active(found.count)
    middle = grid.FRAMES // 2
    assert active[: middle - 3].tolist() == [[True, False]] * (middle - 3)
    assert active[middle + 4 :].tolist() == [[False, True]] * (grid.FRAMES - middle - 4)


def test_without_embedding_frames_the_votes_decide() -> None:
    found, embeddings = two_speakers_in_one_local()
    votes_only = Embeddings(
        embeddings.local, embeddings.subsegments, embeddings.seconds, np.zeros_like(embeddings.frames)
    )
    active = Assignment(found, votes_only, embeddings.subsegments).active(found.count)
    assert active.tolist() == [[True, False]] * grid.FRAMES


def test_a_speaker_whom_bounds_demand_is_forced_even_if_another_is_always_more_similar() -> None:
    found, embeddings = two_speakers_in_one_local()
    third = -np.eye(3, trunk.DIMENSION, dtype=np.float32)[2:]
    speakers = np.concatenate([embeddings.subsegments, third])
    free, bound = (
        Decision(found, embeddings, FoundSpeakers.of(speakers), SpeakerBounds(least)).active for least in (None, 3)
    )
    assert free.any(axis=0).tolist() == [True, True, False]
    assert bound.any(axis=0).tolist() == [True, True, True]
    assert bound[:, 2].sum() == assignment.FORCED_FRAMES


def test_there_is_an_embedding_frame_every_tenth_of_a_second() -> None:
    seconds = grid.frame_seconds(np.arange(3000))
    assert np.abs(embedding_frame(np.arange(3000)) / 10 + 0.0125 - seconds).max() <= 0.0501


@pytest.mark.parametrize("hop", [125, 250, 400])
@pytest.mark.parametrize("windows", [1, 2, 7])
def test_every_embedding_frame_is_taken_from_one_window(windows: int, hop: int) -> None:
    owned = np.concatenate([embedding.owned_frames(window, windows, hop) for window in range(windows)])
    assert owned.tolist() == list(range((hop * (windows - 1) + embedding.WINDOW) // embedding.EMBEDDING_HOP))


@pytest.mark.parametrize("features", [1, 2, 399, 2601, 7777, 100_001])
def test_the_input_of_a_block_has_its_margins_and_whole_units(features: int) -> None:
    for start, end in trunk.block_bounds(features):
        first, last = trunk.block_input(start, end, features)
        assert first % trunk.STRIDE == 0
        assert first <= max(0, start - trunk.MARGIN) and last >= min(features, end + trunk.MARGIN)
        assert first == 0 or (last - first) % trunk.UNIT in (0, trunk.UNIT - 1)


@pytest.mark.parametrize("features", [0, 1, 2, 3000, 4501, 100_000])
def test_blocks_cover_the_recording_and_none_is_short(features: int) -> None:
    bounds = trunk.block_bounds(features)
    assert [edge for pair in bounds for edge in pair][1:-1:2] == [start for start, _ in bounds[1:]]
    assert not features or (bounds[0][0], bounds[-1][1]) == (0, features)
    assert all(end - start >= 1700 for start, end in bounds) or features < 3900


class CountingSession:
    """A session that counts its calls."""

    def __init__(self, session: Any) -> None:
        self._session, self.calls = session, 0

    def run(self, *arguments: Any) -> Any:
        self.calls += 1
        return self._session.run(*arguments)


def test_hours_of_digital_silence_cost_as_much_as_seconds_and_change_nothing() -> None:
    waveform = np.zeros(300 * grid.SAMPLE_RATE, np.float32)
    waveform[: 12 * grid.SAMPLE_RATE] = np.random.default_rng(0).normal(0, 0.1, 12 * grid.SAMPLE_RATE)
    session = CountingSession(models.open_session(models.read_model(models.SEGMENTATION), threads=1))
    scores = np.concatenate([found for _, found in segmentation.class_scores(session, waveform, STEP, lambda _: None)])
    assert len(scores) == grid.window_count(len(waveform), STEP) == 59
    assert session.calls == 2 + 1 + 1  # with sound, silent, the last
    zeros = np.zeros((2, 1, grid.WINDOW), np.float32)
    np.testing.assert_array_equal(scores[20:22], session.run(None, {"x": zeros})[0])


class CountingTrunk:
    """A trunk that counts its calls, and those that give its memory back."""

    def __init__(self, real: trunk.Trunk) -> None:
        self._real, self.calls, self.released = real, 0, 0
        self.last_layer = real.last_layer

    def frames(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        self.calls += 1
        return self._real.frames(features)

    def release(self) -> None:
        self.released += 1
        self._real.release()


@pytest.mark.parametrize("kind", ["released", "8 bits"])
def test_the_trunk_runs_once_for_equally_long_blocks_of_silence(kind: str) -> None:
    arrays = models.read_arrays(models.TRUNK_INT8)
    real = trunk.ReleasedTrunk() if kind == "released" else IntegerTrunk(arithmetic.fastest(), arrays)
    counting = CountingTrunk(real)
    blocks = list(trunk.trunk_frames(counting, np.zeros(208 * grid.SAMPLE_RATE, np.float32), lambda _share: None))
    assert len(blocks) == 8
    assert counting.calls <= 3  # the first, the inner ones, the last
    assert counting.released == 1
    np.testing.assert_array_equal(blocks[2], blocks[3])


def test_the_trunk_gives_its_memory_back_if_the_last_window_ends_with_the_recording() -> None:
    real = IntegerTrunk(arithmetic.fastest(), models.read_arrays(models.TRUNK_INT8))
    waveform = np.random.default_rng(0).standard_normal(grid.WINDOW).astype(np.float32)  # 499 frames, all of a window
    embedding.embed(
        trunk.Head(real.last_layer),
        lambda begin: trunk.trunk_frames(real, waveform, lambda _share: None, begin),
        one_window(0, slice(0, grid.FRAMES)),
    )
    assert not real._kept


def test_models_give_their_memory_back_where_the_work_is_broken_off() -> None:
    own, samples = arithmetic.fastest(), np.random.default_rng(0).standard_normal(60 * grid.SAMPLE_RATE)
    waveform = samples.astype(np.float32)

    def progress(share: float) -> None:
        if share > 0.4:
            raise JobCancelled("cancelled")

    real = IntegerTrunk(own, models.read_arrays(models.TRUNK_INT8))
    with pytest.raises(JobCancelled):
        list(trunk.trunk_frames(real, waveform, progress))
    model = IntegerSegmentation(own, models.read_arrays(models.SEGMENTATION_INT8))
    with pytest.raises(JobCancelled):
        list(segmentation.class_scores(model, waveform, STEP, progress))
    assert not real._kept
    assert model._gates is None
