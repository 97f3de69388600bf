"""How sure the default engine is of its turns: what counts as evidence, and what it makes of it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from parley_core.engine import Engine
from parley_core.job import SpeakerBounds
from parley_core.turns import Diarization
from parley_worker.engines.onnx import grid, trunk
from parley_worker.engines.onnx.calibration import FITTED
from parley_worker.engines.onnx.confidence import CLEAR, EVIDENCE, Calibration
from parley_worker.engines.onnx.decision import Decision
from parley_worker.engines.onnx.embedding import Voices
from parley_worker.engines.onnx.frames import Run
from parley_worker.engines.onnx.segmentation import Segmentation

Waveform = NDArray[np.float32]

STEP = 5 * grid.SAMPLE_RATE
FIRST, SECOND = np.eye(2, trunk.DIMENSION, dtype=np.float32)
EVERYTHING = Run(0, grid.FRAMES, 0)


def decision(sound: Waveform, people: list[Waveform], expected: float = 1.0, voices: int = 1) -> Decision:
    """One window in which the first `voices` local speakers talk throughout, and this is heard."""
    activity = np.zeros((1, grid.FRAMES, grid.LOCAL_SPEAKERS), np.uint8)
    activity[..., :voices] = 1
    everywhere = np.ones(grid.FRAMES)
    heard = Segmentation(
        step=STEP,
        activity=activity,
        count=(voices * everywhere).astype(np.int64),
        expected=(expected * everywhere).astype(np.float32),
    )
    local = np.zeros((1, grid.LOCAL_SPEAKERS, trunk.DIMENSION), np.float32)
    local[0, :2] = FIRST, SECOND
    cells = np.repeat(trunk.unit(sound[None]), 100, axis=0).astype(np.float16)
    return Decision(
        heard,
        Voices(local, np.stack(people), np.ones(len(people), np.float32), cells),
        np.stack(people),
        SpeakerBounds(),
    )


def evidence(*arguments: object, run: Run = EVERYTHING, **options: object) -> dict[str, float]:
    found = decision(*arguments, **options)  # type: ignore[arg-type]
    return dict(zip(EVIDENCE, found.evidence.of(run).tolist(), strict=True))


def test_a_voice_that_is_plainly_one_persons_is_clear_and_near() -> None:
    found = evidence(FIRST, [FIRST, SECOND])
    assert found["margin"] == CLEAR
    assert found["nearness"] == pytest.approx(1, abs=1e-3)


def test_a_voice_halfway_between_two_people_is_doubtful() -> None:
    found = evidence(FIRST + 1.05 * SECOND, [FIRST, SECOND])
    assert 0 < found["margin"] < 1
    assert found["nearness"] == pytest.approx(np.sqrt(0.5), abs=0.03)


def test_where_there_is_nobody_else_it_could_be_nobody_is_close() -> None:
    assert evidence(SECOND, [FIRST])["margin"] == CLEAR
    assert evidence(SECOND, [FIRST])["nearness"] == pytest.approx(0, abs=1e-3)


def test_speech_that_segmentation_is_unsure_of_is_less_sure() -> None:
    assert evidence(FIRST, [FIRST, SECOND], expected=0.6)["sure"] == pytest.approx(0.6)
    assert evidence(FIRST, [FIRST, SECOND], expected=1.4)["sure"] == 1


def test_of_two_at_once_the_one_less_heard_is_less_sure() -> None:
    first = evidence(2 * FIRST + SECOND, [FIRST, SECOND], expected=1.7, voices=2)
    second = evidence(2 * FIRST + SECOND, [FIRST, SECOND], expected=1.7, voices=2, run=Run(0, grid.FRAMES, 1))
    assert (first["sure"], first["overlap"]) == (1, 1)
    assert second["sure"] == pytest.approx(0.7)


def test_a_person_known_only_from_speaking_at_once_with_another_has_no_voice_to_be_near_to() -> None:
    found = evidence(FIRST, [FIRST], expected=2.0, voices=2, run=Run(0, grid.FRAMES, 1))
    assert found["nearness"] == 0
    assert found["overlap"] == 1


def test_confidence_is_the_logistic_function_of_the_weighed_evidence() -> None:
    worth = Calibration(-1.0, (2.0, 0.0, 0.0, -1.0), 0.5)
    assert worth.confidence(np.array([1.0, 9, 9, 1.0])) == pytest.approx(0.5)
    assert worth.confidence(np.array([2.0, 9, 9, 0.0])) == pytest.approx(1 / (1 + np.exp(-3)))


def test_the_fitted_calibration_trusts_what_is_clear_and_asks_for_review_of_what_is_not() -> None:
    clear = decision(FIRST, [FIRST, SECOND]).evidence.of(EVERYTHING)
    doubtful = decision(FIRST + 1.05 * SECOND, [FIRST, SECOND], expected=0.55).evidence.of(Run(0, 12, 0))
    assert FITTED.confidence(clear) > 0.95
    assert FITTED.confidence(doubtful) < FITTED.review_below < FITTED.confidence(clear)


def diarize(engine: Engine, waveform: Waveform) -> Diarization:
    return engine.diarize(waveform, SpeakerBounds(), lambda _phase, _share: None)


def test_every_turn_of_the_default_engine_has_a_confidence_and_says_whether_to_review(
    engine: Engine, conversation: Waveform
) -> None:
    found = diarize(engine, conversation)
    turns = (*found.turns, *found.exclusive_turns)
    assert all(turn.confidence is not None and 0 <= turn.confidence <= 1 for turn in turns)
    assert all(turn.confidence == round(turn.confidence or 0, 3) for turn in turns)
    assert {engine.info.needs_review(turn) for turn in found.turns} <= {True, False}


def test_the_stock_algorithm_does_not_claim_to_know(exact: Engine, conversation: Waveform) -> None:
    found = diarize(exact, conversation[: 6 * grid.SAMPLE_RATE])
    assert [turn.confidence for turn in found.turns] == [None] * len(found.turns)
    assert found.turns
    assert exact.info.needs_review(found.turns[0]) is None


def test_two_recordings_over_each_other_lower_confidence(engine: Engine, conversation: Waveform) -> None:
    """Of people who speak over each other all the time, it is less sure than of people who take turns."""
    half = len(conversation) // 2
    mixed = conversation[:half] + conversation[half : 2 * half]
    assert mean_confidence(diarize(engine, mixed)) < mean_confidence(diarize(engine, conversation))


def mean_confidence(found: Diarization) -> float:
    seconds = np.array([turn.end - turn.start for turn in found.turns])
    return float(np.average([turn.confidence or 0.0 for turn in found.turns], weights=seconds))
