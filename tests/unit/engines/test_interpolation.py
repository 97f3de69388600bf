"""Voices between two windows: said only where the neighbours leave no doubt."""

from __future__ import annotations

import numpy as np
import pytest

from parley_worker.engines.pyannote.interpolation import Anchor, Masks, Voices, interpolate

FRAMES, SHIFT = 100, 20
EAST, NORTH = np.eye(2, dtype=np.float32)
NEAR_EAST = np.array([0.8, 0.6], np.float32)  # 0.8 by cosine


def speaking(*spans: tuple[int, int]) -> Masks:
    """Return who speaks when in a recording of 140 frames, shape (140, speakers)."""
    at = np.arange(FRAMES + 2 * SHIFT)[:, None]
    return np.concatenate([(start <= at) & (at < end) for start, end in spans], axis=1)


def between(recording: Masks, before: list[Voices], after: list[Voices], order: tuple[int, ...] = (0,)) -> Voices:
    """Interpolate the window at frame 20 from those at 0 and 40, whose speakers may be in another order."""
    left = Anchor(recording[:FRAMES, order], np.stack(before), -SHIFT)
    right = Anchor(recording[2 * SHIFT :], np.stack(after), SHIFT)
    return interpolate(recording[SHIFT : SHIFT + FRAMES], left, right)


def test_a_voice_that_both_neighbours_hear_alike_is_their_mean() -> None:
    found = between(speaking((0, 140)), [EAST], [EAST * 3])
    assert found == pytest.approx(np.array([[2.0, 0.0]]))


def test_neighbours_count_by_the_frames_they_share() -> None:
    found = between(speaking((0, 80)), [EAST], [EAST * 4])  # 60 frames in the window: 60 shared before, 40 after
    assert found == pytest.approx(np.array([[(60 + 40 * 4) / 100, 0.0]]))


def test_voices_are_matched_by_who_speaks_when_and_not_by_their_place() -> None:
    recording = speaking((0, 70), (70, 140))
    found = between(recording, [NORTH, EAST], [EAST, NORTH], order=(1, 0))
    assert found == pytest.approx(np.stack([EAST, NORTH]))


def test_voices_that_differ_are_left_open_and_those_just_alike_are_not() -> None:
    assert np.isnan(between(speaking((0, 140)), [EAST], [NORTH])).all()
    assert not np.isnan(between(speaking((0, 140)), [EAST], [NEAR_EAST * 2])).any()


def test_whom_one_neighbour_does_not_hear_is_left_open() -> None:
    heard_by_both, gone = (0, 60), (0, 35)
    found = between(speaking(heard_by_both, gone), [EAST, NORTH], [EAST, NORTH], order=(0, 1))
    assert np.isnan(found[1]).all()
    assert not np.isnan(found[0]).any()


def test_whom_a_neighbour_has_no_voice_of_is_left_open() -> None:
    assert np.isnan(between(speaking((0, 140)), [EAST], [EAST * np.nan])).all()


def test_neighbours_that_give_the_voices_frames_to_another_are_no_witness() -> None:
    recording = speaking((0, 140))
    left = Anchor(recording[:FRAMES], EAST[None], -SHIFT)
    elsewhere = np.zeros((FRAMES, 1), np.bool_)
    elsewhere[:30] = True  # of the 80 frames that the window shares with it
    right = Anchor(elsewhere, EAST[None], SHIFT)
    assert np.isnan(interpolate(recording[SHIFT : SHIFT + FRAMES], left, right)).all()
