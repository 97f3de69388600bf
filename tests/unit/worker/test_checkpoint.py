"""What an attempt that is broken off leaves for the next one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from parley_core.errors import LeaseLost
from parley_core.job import GiveUp, JobState, Phase, RetryIn, SpeakerBounds
from parley_core.turns import Diarization, EngineInfo
from parley_worker.attempt import attempt, checkpoint
from parley_worker.attempt.attempt import Outcome, run_attempt
from parley_worker.engines.checkpoint import NO_CHECKPOINT, Checkpoint, Part
from parley_worker.engines.port import Report
from tests.support.attempts import AttemptFixture
from tests.support.waiting import until

WINDOWS = 12
STEPS = ("segmentation", "embedding")
NOTHING = Diarization((), (), ())


class TwoSteps:
    """Computes the windows of two steps one by one, and notes which."""

    def __init__(self, version: str = "1", instructions: str = "avx2") -> None:
        self.info = EngineInfo("two-steps", version, kernels={"instructions": instructions})
        self.computed: list[tuple[str, int]] = []
        self.before: Callable[[str, int], None] = lambda _step, _window: None

    def diarize(self, waveform: NDArray[np.float32], speakers: SpeakerBounds, report: Report) -> Diarization:
        return self.resume(waveform, speakers, report, NO_CHECKPOINT)

    def resume(
        self, waveform: NDArray[np.float32], speakers: SpeakerBounds, report: Report, checkpoint: Checkpoint
    ) -> Diarization:
        for step in STEPS:

            def compute(first: int, step: str = step) -> Iterator[Part]:
                for window in range(first, WINDOWS):
                    self.before(step, window)
                    report(Phase.EMBEDDING, window / WINDOWS)
                    self.computed.append((step, window))
                    yield Part(window, window + 1, {"number": np.array([window])})

            found = [part.arrays["number"] for part in checkpoint.continued(step, WINDOWS, compute)]
            assert np.concatenate(found).tolist() == list(range(WINDOWS))
        return NOTHING


EVERYTHING = [(step, window) for step in STEPS for window in range(WINDOWS)]


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "PART_SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "PART_SHARE", 0.0)


def parts(fixture: AttemptFixture) -> list[str]:
    return list(fixture.recordings.keys("checkpoints/"))


def stopped_at(fixture: AttemptFixture, step: str, window: int, engine: TwoSteps | None = None) -> TwoSteps:
    """Run an attempt whose worker is told to stop before a window."""
    engine, stopping = engine or TwoSteps(), []
    engine.before = lambda *now: stopping.append(True) if now == (step, window) else None
    deps = replace(fixture.with_engine(engine), stopping=lambda: bool(stopping))
    assert run_attempt(fixture.job_id, deps) is Outcome.GIVEN_BACK
    return engine


@pytest.mark.parametrize(
    ("step", "window"), [("segmentation", 0), ("segmentation", 7), ("embedding", 0), ("embedding", 11)]
)
def test_after_a_planned_stop_nothing_is_computed_twice(fixture: AttemptFixture, step: str, window: int) -> None:
    first = stopped_at(fixture, step, window)
    assert (fixture.job().state, fixture.job().attempts) == (JobState.QUEUED, ())
    second = TwoSteps()
    assert run_attempt(fixture.job_id, fixture.with_engine(second)) is Outcome.SUCCEEDED
    assert first.computed + second.computed == EVERYTHING
    assert len(fixture.job().attempts) == 1


def killed_at(fixture: AttemptFixture, step: str, window: int, error: Exception | None = None) -> TwoSteps:
    """Run an attempt that ends without a last word, as far as its checkpoint goes; each window is stored by then."""

    def before(*now: object) -> None:
        until(lambda: len(parts(fixture)) == len(engine.computed))
        if now == (step, window):
            raise error or MemoryError

    engine = TwoSteps()
    engine.before = before
    run_attempt(fixture.job_id, fixture.with_engine(engine))
    return engine


def test_a_broken_attempt_is_continued_after_its_last_part(
    fixture: AttemptFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "after_failure", lambda *_: RetryIn(0.0))
    first, second = killed_at(fixture, "embedding", 9), TwoSteps()
    assert run_attempt(fixture.job_id, fixture.with_engine(second)) is Outcome.SUCCEEDED
    assert first.computed + second.computed == EVERYTHING


def test_a_checkpoint_of_another_version_of_the_engine_is_ignored_and_counted(fixture: AttemptFixture) -> None:
    stopped_at(fixture, "embedding", 5)
    newer = TwoSteps(version="2")
    assert run_attempt(fixture.job_id, fixture.with_engine(newer)) is Outcome.SUCCEEDED
    assert newer.computed == EVERYTHING
    assert fixture.store.stats().counters["checkpoints_ignored"] >= 1


def test_a_checkpoint_is_continued_on_another_processor(fixture: AttemptFixture) -> None:
    first, second = stopped_at(fixture, "embedding", 5), TwoSteps(instructions="avx512_vnni")
    assert run_attempt(fixture.job_id, fixture.with_engine(second)) is Outcome.SUCCEEDED
    assert first.computed + second.computed == EVERYTHING


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: b"", lambda data: data[:100] + b"?" + data[101:]]
)
def test_a_damaged_part_is_computed_again_and_counted(
    fixture: AttemptFixture, damage: Callable[[bytes], bytes]
) -> None:
    stopped_at(fixture, "embedding", 0)
    (key, *_) = sorted(parts(fixture))
    fixture.recordings.objects[key] = damage(fixture.recordings.objects[key])
    second = TwoSteps()
    assert run_attempt(fixture.job_id, fixture.with_engine(second)) is Outcome.SUCCEEDED
    assert second.computed == EVERYTHING
    assert fixture.store.stats().counters["checkpoints_ignored"] == 1


def test_nothing_is_left_after_the_end(fixture: AttemptFixture) -> None:
    stopped_at(fixture, "embedding", 5)
    assert parts(fixture)
    run_attempt(fixture.job_id, fixture.with_engine(TwoSteps()))
    assert parts(fixture) == []


def test_nothing_is_left_after_a_cancel_or_a_last_attempt(
    fixture: AttemptFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def before(*now: object) -> None:
        if now == ("embedding", 5):
            fixture.store.cancel(fixture.job_id)

    engine = TwoSteps()
    engine.before = before
    patient = fixture.deps.settings.model_copy(update={"lease_renewal_seconds": 9})
    assert run_attempt(fixture.job_id, replace(fixture.with_engine(engine), settings=patient)) is Outcome.ENDED
    assert parts(fixture) == []
    fixture.job_id = fixture.submit()
    monkeypatch.setattr(attempt, "after_failure", lambda *_: GiveUp())
    killed_at(fixture, "embedding", 5)
    assert (fixture.job().state, parts(fixture)) == (JobState.FAILED, [])


def test_an_attempt_that_lost_its_job_leaves_the_checkpoint_to_its_successor(fixture: AttemptFixture) -> None:
    killed_at(fixture, "embedding", 5, LeaseLost("taken"))
    assert len(parts(fixture)) == WINDOWS + 5


def test_an_object_store_that_takes_no_checkpoint_costs_only_the_checkpoint(fixture: AttemptFixture) -> None:
    engine = TwoSteps()

    def before(step: str, window: int) -> None:
        fixture.recordings.available = (step, window) == ("embedding", WINDOWS - 1)

    engine.before = before
    assert run_attempt(fixture.job_id, fixture.with_engine(engine)) is Outcome.SUCCEEDED
    assert engine.computed == EVERYTHING
