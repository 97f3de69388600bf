"""The doubt about speakers: its evidence, and what follows from it for the number of speakers."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from parley_core.job import SpeakerBounds
from parley_worker.engines.onnx import grid, trunk
from parley_worker.engines.onnx.clustering import ALONE, FoundSpeakers
from parley_worker.engines.onnx.decision import Decision
from parley_worker.engines.onnx.doubt import (
    EVIDENCE,
    LEAST_ODD,
    LONGEST_STRAY,
    ODD,
    OF_TURN,
    SEVERAL,
    SURPLUS,
    doubts,
    speaker_evidence,
    turn_evidence,
)
from parley_worker.engines.onnx.embedding import Embeddings
from parley_worker.engines.onnx.segmentation import Segmentation

VOICE, STRANGER = np.eye(2, trunk.DIMENSION, dtype=np.float32)


def one_speaker(stranger: slice, joined: float = 0.0, apart: float = ALONE, seconds: float = 10.0) -> Decision:
    """Ten seconds with one label, in which some embedding frames (tenths of a second) are of a stranger."""
    activity = np.zeros((1, grid.FRAMES, grid.LOCAL_SPEAKERS), np.uint8)
    activity[..., 0] = 1
    frames: NDArray[np.float32] = np.repeat(VOICE[None], 100, axis=0)
    frames[stranger] = STRANGER
    everywhere = np.ones(grid.FRAMES)
    segmentation = Segmentation(5 * grid.SAMPLE_RATE, activity, everywhere.astype(np.int64), everywhere.astype("f4"))
    local = np.zeros((1, grid.LOCAL_SPEAKERS, trunk.DIMENSION), np.float32)
    local[0, 0] = VOICE
    embeddings = Embeddings(local, VOICE[None], np.ones(1, np.float32), frames.astype(np.float16))
    found = FoundSpeakers(VOICE[None], np.array([seconds]), np.array([joined]), np.array([apart]))
    return Decision(segmentation, embeddings, found, SpeakerBounds())


def evidence(decision: Decision) -> dict[str, float]:
    return dict(zip(EVIDENCE, speaker_evidence(decision)[0].tolist(), strict=True))


def test_frames_of_a_stranger_are_measured_by_their_longest_run() -> None:
    assert evidence(one_speaker(slice(0, 0)))["stray"] == 0
    assert evidence(one_speaker(slice(40, 52)))["stray"] == pytest.approx(1.2, abs=0.1)
    assert evidence(one_speaker(slice(30, 40, 2)))["stray"] == pytest.approx(0.1, abs=0.03)
    assert evidence(one_speaker(slice(10, 50)))["stray"] == LONGEST_STRAY
    assert evidence(one_speaker(slice(10, 50)))["spread"] == pytest.approx(0.49, abs=0.02)


def test_a_speaker_without_a_moment_alone_has_no_evidence_of_frames() -> None:
    decision = one_speaker(slice(0, 0))
    decision.active[:] = False
    assert (evidence(decision)["stray"], evidence(decision)["spread"]) == (0, 0)


def test_two_voices_under_one_label_lower_its_purity_and_raise_the_plausible_number() -> None:
    pure, mixed = (doubts(one_speaker(stranger), SpeakerBounds()) for stranger in (slice(0, 0), slice(40, 60)))
    assert pure.purity[0] > 0.95 > 1 - SEVERAL.bound > mixed.purity[0]
    assert (pure.count([0]).plausible, mixed.count([0]).plausible) == ((1, 1), (1, 2))


def test_a_merge_far_away_lowers_the_purity() -> None:
    near, far = (doubts(one_speaker(slice(0, 0), joined), SpeakerBounds()) for joined in (0.1, 0.5))
    assert far.purity[0] < near.purity[0]


def test_somebody_with_little_speech_near_another_speaker_may_be_the_same_person() -> None:
    short, long = (doubts(one_speaker(slice(0, 0), 0.0, 0.3, seconds), SpeakerBounds()) for seconds in (1.2, 60.0))
    assert (set(short.doubtful), set(long.doubtful)) == ({0}, set())


def test_a_turn_unlike_the_others_of_its_speaker_is_odd() -> None:
    alike, odd, single = one_speaker(slice(0, 0)), one_speaker(slice(40, 60)), one_speaker(slice(40, 60))
    for decision in (alike, odd):
        decision.active[[230, 231, 360, 361], 0] = False  # three turns; the second one is the stranger's
    assert evidence(odd)["odd"] > 0
    assert evidence(alike)["odd"] == evidence(single)["odd"] == LEAST_ODD


def test_the_odd_turn_is_compared_without_overlapped_and_too_short_speech() -> None:
    decision = one_speaker(slice(40, 60))
    decision.active[[230, 231, 360, 361], 0] = False
    overlapped = np.pad(decision.active, ((0, 0), (0, 1)))
    overlapped[225:365, 1] = True  # the stranger's turn is not alone
    decision.active = overlapped
    assert [turn.first for turn in turn_evidence(decision)[0]] == [0, 362]


def test_a_window_that_hears_two_people_under_the_only_label_makes_it_crowded() -> None:
    decision = one_speaker(slice(40, 60))
    assert evidence(decision)["crowded"] == 0
    decision.activity[0, 230:360] = [0, 1, 0]  # the second local speaker has the same label: there is no other one
    assert evidence(decision)["crowded"] == 1
    decision.activity[0, 230:360] = [1, 1, 0]  # never alone
    assert evidence(decision)["crowded"] == 0


def test_the_regressions_have_a_weight_for_each_number() -> None:
    assert len(SEVERAL.weights) == len(SURPLUS.weights) == len(EVIDENCE)
    assert len(ODD.weights) == len(OF_TURN)
