"""An engine that goes on from a checkpoint finds what an undisturbed run finds, bit by bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from parley_core.job import Phase, SpeakerBounds
from parley_worker.engines.base import load_engine
from parley_worker.engines.checkpoint import NO_CHECKPOINT, Part
from parley_worker.engines.onnx import OnnxEngine

Waveform = NDArray[np.float32]


class Interrupted(Exception):  # noqa: N818
    """What a test ends an attempt with."""


class PartsInMemory:
    """Keeps every part, as an object store does."""

    def __init__(self) -> None:
        self.parts: dict[tuple[str, int], Part] = {}
        self.computed = 0

    def continued(self, step: str, total: int, compute: Callable[[int], Iterator[Part]]) -> Iterator[Part]:
        reached = 0
        while part := self.parts.get((step, reached)):
            reached = part.end
            yield part
        for part in compute(reached):
            self.parts[step, part.first] = part
            self.computed += part.end - part.first
            yield part
        assert max(part.end for (name, _), part in self.parts.items() if name == step) == total


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


@pytest.fixture(scope="module")
def recording(conversation: Waveform) -> Waveform:
    """Six blocks of the trunk: 2.5 minutes."""
    return np.concatenate([conversation, conversation[::-1], conversation * np.float32(0.5)])


@pytest.mark.parametrize("name", ["onnx", "onnx-fast"])
def test_a_run_that_is_broken_off_again_and_again_computes_the_same(recording: Waveform, name: str) -> None:
    engine = load_engine(name)
    assert isinstance(engine, OnnxEngine)
    expected = engine.run_models(recording, lambda *_: None)
    checkpoint, attempts = PartsInMemory(), 1
    while not run(engine, recording, checkpoint, reports=3):
        attempts += 1
    found = engine.run_models(recording, lambda *_: None, checkpoint)
    assert attempts > 4
    assert expected is not None
    assert found is not None
    for one, other in zip(expected, found, strict=True):
        for field in one.__slots__:
            np.testing.assert_array_equal(getattr(one, field), getattr(other, field), strict=True)


def test_nothing_that_is_kept_is_computed_again(recording: Waveform) -> None:
    engine = load_engine("onnx-fast")
    assert isinstance(engine, OnnxEngine)
    undisturbed, disturbed = PartsInMemory(), PartsInMemory()
    run(engine, recording, undisturbed, reports=None)
    while not run(engine, recording, disturbed, reports=4):
        pass
    assert disturbed.computed == undisturbed.computed
    bounds = SpeakerBounds()
    turns = engine.resume(recording, bounds, lambda *_: None, disturbed)
    assert turns == engine.resume(recording, bounds, lambda *_: None, NO_CHECKPOINT)
