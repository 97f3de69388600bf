"""Interpolated embeddings of the pyannote engine exist only where both neighbouring windows agree."""

from __future__ import annotations

import numpy as np
import pytest

from parley_worker.engines.pyannote.interpolation import Anchor, Embeddings, Masks, interpolate

FRAMES, SHIFT = 100, 20
EAST, NORTH = np.eye(2, dtype=np.float32)
NEAR_EAST = np.array([0.8, 0.6], np.float32)  # cosine similarity 0.8


def speaking(*spans: tuple[int, int]) -> Masks:
    """Return the activity in a recording of 140 frames, shape (140, speakers)."""
    at = np.arange(FRAMES + 2 * SHIFT)[:, None]
    return np.concatenate([(start <= at) & (at < end) for start, end in spans], axis=1)


def between(
    recording: Masks, before: list[Embeddings], after: list[Embeddings], order: tuple[int, ...] = (0,)
) -> Embeddings:
    """Interpolate the window at frame 20 from those at 0 and 40, whose speakers may be in another order."""
    left = Anchor(recording[:FRAMES, order], np.stack(before), -SHIFT)
    right = Anchor(recording[2 * SHIFT :], np.stack(after), SHIFT)
    return interpolate(recording[SHIFT : SHIFT + FRAMES], left, right)


def test_similar_embeddings_of_both_neighbours_give_their_mean() -> None:
    found = between(speaking((0, 140)), [EAST], [EAST * 3])
    assert found == pytest.approx(np.array([[2.0, 0.0]]))


def test_neighbours_weigh_by_the_frames_they_share() -> None:
    found = between(speaking((0, 80)), [EAST], [EAST * 4])  # 60 frames in the window: 60 shared before, 40 after
    assert found == pytest.approx(np.array([[(60 + 40 * 4) / 100, 0.0]]))


def test_speakers_are_matched_by_their_frames_and_not_by_their_column() -> None:
    recording = speaking((0, 70), (70, 140))
    found = between(recording, [NORTH, EAST], [EAST, NORTH], order=(1, 0))
    assert found == pytest.approx(np.stack([EAST, NORTH]))


def test_different_embeddings_stay_open_and_barely_similar_ones_do_not() -> None:
    assert np.isnan(between(speaking((0, 140)), [EAST], [NORTH])).all()
    assert not np.isnan(between(speaking((0, 140)), [EAST], [NEAR_EAST * 2])).any()


def test_a_speaker_who_is_absent_from_one_neighbour_stays_open() -> None:
    in_both, in_one = (0, 60), (0, 35)
    found = between(speaking(in_both, in_one), [EAST, NORTH], [EAST, NORTH], order=(0, 1))
    assert np.isnan(found[1]).all()
    assert not np.isnan(found[0]).any()


def test_a_speaker_without_an_embedding_in_a_neighbour_stays_open() -> None:
    assert np.isnan(between(speaking((0, 140)), [EAST], [EAST * np.nan])).all()


def test_a_neighbour_that_gives_the_frames_to_another_speaker_leaves_the_embedding_open() -> None:
    recording = speaking((0, 140))
    left = Anchor(recording[:FRAMES], EAST[None], -SHIFT)
    elsewhere = np.zeros((FRAMES, 1), np.bool_)
    elsewhere[:30] = True  # of the 80 frames that both windows have in common
    right = Anchor(elsewhere, EAST[None], SHIFT)
    assert np.isnan(interpolate(recording[SHIFT : SHIFT + FRAMES], left, right)).all()
