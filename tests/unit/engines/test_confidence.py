"""The confidence of the default engine in its turns: the evidence, and the probability that follows from it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from parley_core.job import SpeakerBounds
from parley_core.turns import Diarization
from parley_worker.engines.onnx import grid, trunk
from parley_worker.engines.onnx.calibration import FITTED
from parley_worker.engines.onnx.clustering import FoundSpeakers
from parley_worker.engines.onnx.confidence import EVIDENCE, MAX_MARGIN, Calibration
from parley_worker.engines.onnx.decision import Decision
from parley_worker.engines.onnx.embedding import Embeddings
from parley_worker.engines.onnx.frames import FrameSegment
from parley_worker.engines.onnx.segmentation import Segmentation
from parley_worker.engines.port import Engine

Waveform = NDArray[np.float32]

STEP = 5 * grid.SAMPLE_RATE
FIRST, SECOND = np.eye(2, trunk.DIMENSION, dtype=np.float32)
WHOLE = FrameSegment(0, grid.FRAMES, 0)


def decision(embedding: Waveform, speakers: list[Waveform], expected: float = 1.0, active: int = 1) -> Decision:
    """One window in which the first `active` local speakers talk throughout, with one embedding in all its frames."""
    activity = np.zeros((1, grid.FRAMES, grid.LOCAL_SPEAKERS), np.uint8)
    activity[..., :active] = 1
    everywhere = np.ones(grid.FRAMES)
    segmentation = Segmentation(
        step=STEP,
        activity=activity,
        count=(active * everywhere).astype(np.int64),
        expected=(expected * everywhere).astype(np.float32),
    )
    local = np.zeros((1, grid.LOCAL_SPEAKERS, trunk.DIMENSION), np.float32)
    local[0, :2] = FIRST, SECOND
    embeddings = Embeddings(
        local=local,
        subsegments=np.stack(speakers),
        seconds=np.ones(len(speakers), np.float32),
        frames=np.repeat(trunk.unit(embedding[None]), 100, axis=0).astype(np.float16),
    )
    return Decision(segmentation, embeddings, FoundSpeakers.of(np.stack(speakers)), SpeakerBounds())


def evidence(*arguments: object, segment: FrameSegment = WHOLE, **options: object) -> dict[str, float]:
    found = decision(*arguments, **options)  # type: ignore[arg-type]
    return dict(zip(EVIDENCE, found.evidence.of(segment).tolist(), strict=True))


def test_an_embedding_of_one_speaker_has_the_largest_margin_and_similarity() -> None:
    found = evidence(FIRST, [FIRST, SECOND])
    assert found["margin"] == MAX_MARGIN
    assert found["similarity"] == pytest.approx(1, abs=1e-3)


def test_an_embedding_halfway_between_two_speakers_has_a_small_margin() -> None:
    found = evidence(FIRST + 1.05 * SECOND, [FIRST, SECOND])
    assert 0 < found["margin"] < 1
    assert found["similarity"] == pytest.approx(np.sqrt(0.5), abs=0.03)


def test_the_only_speaker_has_the_largest_margin_whatever_the_similarity() -> None:
    assert evidence(SECOND, [FIRST])["margin"] == MAX_MARGIN
    assert evidence(SECOND, [FIRST])["similarity"] == pytest.approx(0, abs=1e-3)


def test_speech_with_a_low_probability_has_a_low_certainty() -> None:
    assert evidence(FIRST, [FIRST, SECOND], expected=0.6)["certainty"] == pytest.approx(0.6)
    assert evidence(FIRST, [FIRST, SECOND], expected=1.4)["certainty"] == 1


def test_of_two_active_speakers_the_one_with_the_lower_score_is_less_certain() -> None:
    first = evidence(2 * FIRST + SECOND, [FIRST, SECOND], expected=1.7, active=2)
    second = evidence(
        2 * FIRST + SECOND, [FIRST, SECOND], expected=1.7, active=2, segment=FrameSegment(0, grid.FRAMES, 1)
    )
    assert (first["certainty"], first["overlap"]) == (1, 1)
    assert second["certainty"] == pytest.approx(0.7)


def test_a_speaker_found_in_overlapped_speech_only_has_no_similarity() -> None:
    found = evidence(FIRST, [FIRST], expected=2.0, active=2, segment=FrameSegment(0, grid.FRAMES, 1))
    assert found["similarity"] == 0
    assert found["overlap"] == 1


def test_confidence_is_the_logistic_function_of_the_weighted_evidence() -> None:
    calibration = Calibration(-1.0, (2.0, 0.0, 0.0, -1.0), 0.5)
    assert calibration.confidence(np.array([1.0, 9, 9, 1.0])) == pytest.approx(0.5)
    assert calibration.confidence(np.array([2.0, 9, 9, 0.0])) == pytest.approx(1 / (1 + np.exp(-3)))


def test_the_fitted_calibration_flags_doubtful_turns_for_review_and_clear_ones_not() -> None:
    clear = decision(FIRST, [FIRST, SECOND]).evidence.of(WHOLE)
    doubtful = decision(FIRST + 1.05 * SECOND, [FIRST, SECOND], expected=0.55).evidence.of(FrameSegment(0, 12, 0))
    assert FITTED.confidence(clear) > 0.95
    assert FITTED.confidence(doubtful) < FITTED.review_below < FITTED.confidence(clear)


def diarize(engine: Engine, waveform: Waveform) -> Diarization:
    return engine.diarize(waveform, SpeakerBounds(), lambda _phase, _share: None)


@pytest.fixture(scope="module")
def found(engine: Engine, conversation: Waveform) -> Diarization:
    return diarize(engine, conversation)


def test_every_turn_of_the_default_engine_has_a_confidence_and_says_whether_to_review(
    engine: Engine, found: Diarization
) -> None:
    turns = (*found.turns, *found.exclusive_turns)
    assert all(turn.confidence is not None and 0 <= turn.confidence <= 1 for turn in turns)
    assert all(turn.confidence == round(turn.confidence or 0, 3) for turn in turns)
    assert {engine.info.needs_review(turn) for turn in found.turns} <= {True, False}


def test_the_reference_engine_has_no_confidence(exact: Engine, conversation: Waveform) -> None:
    found = diarize(exact, conversation[: 6 * grid.SAMPLE_RATE])
    assert [turn.confidence for turn in found.turns] == [None] * len(found.turns)
    assert found.turns
    assert exact.info.needs_review(found.turns[0]) is None


def test_constant_overlap_lowers_the_confidence(engine: Engine, conversation: Waveform, found: Diarization) -> None:
    """The two halves of the conversation mixed have a lower mean confidence than one after the other."""
    half = len(conversation) // 2
    mixed = conversation[:half] + conversation[half : 2 * half]
    assert mean_confidence(diarize(engine, mixed)) < mean_confidence(found)


def mean_confidence(found: Diarization) -> float:
    seconds = np.array([turn.end - turn.start for turn in found.turns])
    return float(np.average([turn.confidence or 0.0 for turn in found.turns], weights=seconds))
