"""An engine that goes on from a checkpoint finds what an undisturbed run finds, bit by bit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from parley_core.job import Phase, SpeakerBounds
from parley_worker.engines.base import load_engine
from parley_worker.engines.onnx import OnnxEngine
from tests.support.checkpoints import PartsInMemory
from tests.support.rooms import in_a_room

Waveform = NDArray[np.float32]


class Interrupted(Exception):  # noqa: N818
    """What a test ends an attempt with."""


def run(engine: OnnxEngine, waveform: Waveform, checkpoint: PartsInMemory, reports: int | None) -> bool:
    """Go on, and break off at a report; return whether the engine came to its end."""
    left = reports

    def report(_phase: Phase, _share: float) -> None:
        nonlocal left
        if left is not None:
            left -= 1
            if left < 0:
                raise Interrupted

    try:
        engine.run_models(waveform, report, checkpoint)
    except Interrupted:
        return False
    return True


@dataclass
class Runs:
    """The work of one engine on one recording, undisturbed and in many attempts."""

    engine: OnnxEngine
    recording: Waveform
    undisturbed: PartsInMemory
    disturbed: PartsInMemory
    attempts: int


@pytest.fixture(scope="module", params=["onnx", "onnx-fast"])
def runs(request: pytest.FixtureRequest, conversation: Waveform) -> Runs:
    """Runs on 1.5 minutes, which are four blocks of the trunk; one of them in a room, where segmentation runs twice."""
    engine = load_engine(request.param)
    assert isinstance(engine, OnnxEngine)
    recording = np.concatenate([conversation, conversation[::-1]])
    recording = in_a_room(recording) if request.param == "onnx" else recording
    undisturbed, disturbed, attempts = PartsInMemory(), PartsInMemory(), 1
    run(engine, recording, undisturbed, reports=None)
    while not run(engine, recording, disturbed, reports=2):
        attempts += 1
    return Runs(engine, recording, undisturbed, disturbed, attempts)


def test_a_run_that_is_broken_off_again_and_again_computes_the_same_once(runs: Runs) -> None:
    assert runs.attempts > 4
    assert runs.disturbed.computed == runs.undisturbed.computed
    expected = runs.engine.run_models(runs.recording, lambda *_: None, runs.undisturbed)
    found = runs.engine.run_models(runs.recording, lambda *_: None, runs.disturbed)
    assert runs.disturbed.computed == runs.undisturbed.computed
    assert expected is not None
    assert found is not None
    assert expected.quality == found.quality
    for one, other in zip(expected[:2], found[:2], strict=True):
        for field in one.__slots__:
            np.testing.assert_array_equal(getattr(one, field), getattr(other, field), strict=True)


def test_the_turns_are_those_of_an_undisturbed_run(runs: Runs) -> None:
    """Those of a run without a checkpoint too: test_onnx_engine.py compares one with an undisturbed run."""
    found = runs.engine.resume(runs.recording, SpeakerBounds(), lambda *_: None, runs.disturbed)
    assert found.turns
    assert found == runs.engine.resume(runs.recording, SpeakerBounds(), lambda *_: None, runs.undisturbed)
