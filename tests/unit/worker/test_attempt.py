"""What one attempt leaves in the record, however it ends."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from structlog.testing import capture_logs

from parley_core.engine import Report
from parley_core.errors import EngineMismatch, JobCancelled, JobStoreUnavailable, LeaseLost, UnreadableRecording
from parley_core.job import MAX_ATTEMPTS, Failure, JobOptions, JobState, Phase, RetryIn, SpeakerBounds
from parley_core.recording import result_key
from parley_core.result_document import DiarizedRecording, ResultDocument
from parley_core.turns import Diarization, EngineInfo, Turn
from parley_core.voiceprints import Role
from parley_worker.attempt import attempt
from parley_worker.attempt.attempt import Outcome, run_attempt
from parley_worker.attempt.retry import SoftLimitReached
from parley_worker.dependencies import load
from parley_worker.engines.scripted import ScriptedEngine
from tests.support.attempts import AttemptFixture, CallingEngine
from tests.support.fakes import MemoryJobStore
from tests.support.waiting import HANG_SECONDS


def report_until_stopped(report: Report) -> None:
    """Report as an engine does between batches, and fail if nobody stops it."""
    deadline = time.monotonic() + HANG_SECONDS
    while time.monotonic() < deadline:
        report(Phase.EMBEDDING, 0.5)
        time.sleep(0.005)
    raise AssertionError("the engine was not stopped")


def raising(error: BaseException) -> CallingEngine:
    def middle(_: Report) -> None:
        raise error

    return CallingEngine(middle)


def test_a_success_is_stored_under_its_nonce_and_committed(world: AttemptFixture) -> None:
    assert run_attempt(world.job_id, world.deps) is Outcome.SUCCEEDED
    job = world.job()
    assert job.state is JobState.SUCCEEDED
    assert job.result is not None
    assert job.result.key == result_key(job.id, job.nonce)
    assert (job.result.speakers, job.result.turns, job.result.seconds_of_speech) == (1, 1, 1.0)
    assert {"decoding", "segmentation", "embedding", "clustering", "engine"} <= set(job.result.timings)
    assert [(a.number, a.worker, a.error) for a in job.attempts] == [(1, "host/abc/1", None)]


def test_the_stored_result_is_the_result_document(world: AttemptFixture) -> None:
    run_attempt(world.job_id, world.deps)
    turn = Turn(0.0, 1.0, "SPEAKER_00")
    assert stored_result(world, world.job_id) == ResultDocument(
        job_id=world.job_id,
        recording=DiarizedRecording("0" * 64, 1.0),
        speakers=("SPEAKER_00",),
        turns=(turn,),
        exclusive_turns=(turn,),
        overlaps=(),
        engine=EngineInfo("scripted", "1", parameters={"seconds": 0.0}),
    )


class KnowingEngine(ScriptedEngine):
    """Finds one speaker and returns an embedding of this speaker."""

    def __init__(self, embedding_model: str = "knowing/abc") -> None:
        super().__init__(0.0)
        self._embedding_model = embedding_model

    def diarize(self, waveform: NDArray[np.float32], speakers: SpeakerBounds, report: Report) -> Diarization:
        found = super().diarize(waveform, speakers, report)
        return replace(found, speaker_embeddings={"SPEAKER_00": (0.6, 0.8)}, embedding_model=self._embedding_model)


def stored_result(world: AttemptFixture, job_id: str) -> ResultDocument:
    return ResultDocument.from_json(world.recordings.read(result_key(job_id, world.store.get(job_id).nonce)))


def test_speaker_embeddings_are_stored_only_if_the_job_asks_for_them(world: AttemptFixture) -> None:
    deps = world.with_engine(KnowingEngine())
    run_attempt(world.job_id, deps)
    plain = stored_result(world, world.job_id)
    assert (plain.speaker_embeddings, plain.embedding_model) == ({}, "")
    job_id = world.submit(JobOptions(speaker_embeddings=True))
    run_attempt(job_id, deps)
    asked = stored_result(world, job_id)
    assert (asked.speaker_embeddings, asked.embedding_model) == ({"SPEAKER_00": (0.6, 0.8)}, "knowing/abc")


def test_embeddings_of_an_unnamed_model_belong_to_the_engines_version(world: AttemptFixture) -> None:
    job_id = world.submit(JobOptions(speaker_embeddings=True))
    run_attempt(job_id, world.with_engine(KnowingEngine(embedding_model="")))
    assert stored_result(world, job_id).embedding_model == "scripted 1"


def test_named_channels_give_speakers_roles(world: AttemptFixture) -> None:
    def levels(path: Path, channels: int) -> NDArray[np.float32]:
        assert path.read_bytes() == b"sound"
        return np.full((50, channels), (1e-6, 1e-3), np.float32)

    job_id = world.submit(JobOptions(channels=(Role.CLINICIAN, Role.PATIENT)))
    run_attempt(job_id, replace(world.deps, levels=levels))
    assert stored_result(world, job_id).roles == {"SPEAKER_00": Role.PATIENT}


class UnsureEngine(ScriptedEngine):
    """Is unsure of the second of three turns, and says from where on a turn needs no review."""

    def __init__(self) -> None:
        super().__init__(0.0)
        self.info = EngineInfo("unsure", "1", parameters={"review_below": 0.8})

    def diarize(self, waveform: NDArray[np.float32], speakers: SpeakerBounds, report: Report) -> Diarization:
        super().diarize(waveform, speakers, report)
        sure = {0.0: 0.8, 1.0: 0.79, 2.5: 0.99}
        turns = tuple(Turn(start, start + 0.5, "SPEAKER_00", confidence) for start, confidence in sure.items())
        return Diarization(turns, turns, ())


def test_the_record_says_how_much_needs_review(world: AttemptFixture) -> None:
    run_attempt(world.job_id, world.with_engine(UnsureEngine()))
    result = world.job().result
    assert result is not None
    assert (result.turns_to_review, result.seconds_to_review) == (1, 0.5)


def test_of_an_engine_that_does_not_know_how_sure_it_is_nothing_is_said_of_review(world: AttemptFixture) -> None:
    run_attempt(world.job_id, world.deps)
    result = world.job().result
    assert result is not None
    assert result.turns_to_review is result.seconds_to_review is None


def test_a_duplicate_message_starts_nothing(world: AttemptFixture) -> None:
    second: list[Outcome] = []
    engine = CallingEngine(lambda _: second.append(run_attempt(world.job_id, world.deps)))
    assert run_attempt(world.job_id, world.with_engine(engine)) is Outcome.SUCCEEDED
    assert second == [Outcome.DUPLICATE]
    assert run_attempt(world.job_id, world.deps) is Outcome.DUPLICATE
    assert len(world.job().attempts) == len(world.results()) == 1


def test_an_unknown_job_is_a_message_to_be_dropped(world: AttemptFixture) -> None:
    assert run_attempt("no-such-job", world.deps) is Outcome.DUPLICATE


def test_a_permanent_error_fails_the_job_at_once(world: AttemptFixture) -> None:
    def damaged(_: Path) -> NDArray[np.float32]:
        raise UnreadableRecording("damaged")

    assert run_attempt(world.job_id, replace(world.deps, decode=damaged)) is Outcome.FAILED
    job = world.job()
    assert (job.state, job.error) == (JobState.FAILED, Failure("unreadable_recording", "damaged"))
    assert len(job.attempts) == 1


def test_a_missing_recording_fails_the_job_with_that_reason(world: AttemptFixture) -> None:
    world.recordings.delete(world.job().recording.key)
    assert run_attempt(world.job_id, world.deps) is Outcome.FAILED
    assert world.job().error == Failure("unreadable_recording", "The stored recording is gone.")


@pytest.mark.parametrize("error", [MemoryError(), ZeroDivisionError(), KeyError("x"), OSError(28, "disk full")])
def test_whatever_an_engine_raises_is_tried_again_later(world: AttemptFixture, error: Exception) -> None:
    assert run_attempt(world.job_id, world.with_engine(raising(error))) is Outcome.WAITING
    job = world.job()
    assert job.state is JobState.QUEUED
    assert job.attempts[0].error == Failure("engine_error", f"{type(error).__name__} while working on the recording.")
    assert run_attempt(world.job_id, world.deps) is Outcome.DUPLICATE, "it must wait for its next attempt"


def test_a_poison_job_costs_four_attempts_and_waits_between_them(
    world: AttemptFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, waits = [1000.0], []
    store = MemoryJobStore(now=lambda: clock[0])
    deps = replace(world.with_engine(raising(MemoryError())), store=store)
    world.store = store
    job_id = world.submit()
    while run_attempt(job_id, deps) is Outcome.WAITING:
        before = clock[0]
        while not store.claim_due(1):
            clock[0] += 1
        waits.append(clock[0] - before)
    job = store.get(job_id)
    assert (job.state, len(job.attempts), waits) == (JobState.FAILED, MAX_ATTEMPTS, [60, 120, 240])
    assert job.error is not None
    assert job.error.code == "engine_error"


def test_an_object_store_that_is_down_is_tried_again_later(world: AttemptFixture) -> None:
    world.recordings.available = False
    assert run_attempt(world.job_id, world.deps) is Outcome.WAITING
    error = world.job().attempts[0].error
    assert error is not None
    assert error.code == "object_store_unavailable"


def test_a_cancel_stops_the_engine_between_two_batches_and_leaves_no_result(world: AttemptFixture) -> None:
    def middle(report: Report) -> None:
        world.store.cancel(world.job_id)
        report_until_stopped(report)

    assert run_attempt(world.job_id, world.with_engine(CallingEngine(middle))) is Outcome.ENDED
    assert (world.job().state, world.results()) == (JobState.CANCELLED, [])


def test_a_cancel_that_the_engine_does_not_notice_still_wins(world: AttemptFixture) -> None:
    engine = CallingEngine(lambda _: (world.store.cancel(world.job_id), None)[1])
    deps = replace(
        world.with_engine(engine), settings=world.deps.settings.model_copy(update={"lease_renewal_seconds": 9})
    )
    assert run_attempt(world.job_id, deps) is Outcome.ENDED
    assert (world.job().state, world.results()) == (JobState.CANCELLED, [])


def take_over(world: AttemptFixture) -> None:
    """Reap the running attempt as a keeper would, and start the next one."""
    time.sleep(world.deps.settings.lease_seconds + 0.05)
    lapsed = world.store.lapsed_leases(1)[0]
    world.store.fail_attempt(lapsed.lease, Failure("worker_lost", "gone"), RetryIn(0.0))
    assert world.store.start_attempt(world.job_id, "host/def/2", 60)


def test_a_worker_that_wakes_after_its_lease_cannot_commit(world: AttemptFixture) -> None:
    frozen = world.deps.settings.model_copy(update={"lease_renewal_seconds": 9})
    deps = replace(world.with_engine(CallingEngine(lambda _: take_over(world))), settings=frozen)
    assert run_attempt(world.job_id, deps) is Outcome.ENDED
    job = world.job()
    assert (job.state, job.token, world.results()) == (JobState.RUNNING, 2, [])


def test_the_failure_of_a_worker_that_lost_its_lease_changes_nothing(world: AttemptFixture) -> None:
    def middle(_: Report) -> None:
        take_over(world)
        raise MemoryError

    frozen = world.deps.settings.model_copy(update={"lease_renewal_seconds": 9})
    assert (
        run_attempt(world.job_id, replace(world.with_engine(CallingEngine(middle)), settings=frozen)) is Outcome.ENDED
    )
    assert (world.job().state, world.job().token) == (JobState.RUNNING, 2)


def test_heartbeats_keep_the_lease_and_write_progress(world: AttemptFixture) -> None:
    def middle(report: Report) -> None:
        report(Phase.EMBEDDING, 0.25)
        time.sleep(settings.lease_seconds * 2)
        assert world.store.lapsed_leases(1) == []
        assert (world.job().phase, world.job().progress) == (Phase.EMBEDDING, 0.25)

    settings = world.deps.settings.model_copy(update={"lease_seconds": 1.0})  # of which a busy machine takes its share
    deps = replace(world.with_engine(CallingEngine(middle)), settings=settings)
    assert run_attempt(world.job_id, deps) is Outcome.SUCCEEDED


def outage(world: AttemptFixture, seconds: float) -> Callable[[Report], None]:
    def middle(report: Report) -> None:
        world.store.available = False
        threading.Timer(seconds, lambda: setattr(world.store, "available", True)).start()
        report(Phase.EMBEDDING, 0.5)

    return middle


def test_a_result_waits_for_a_store_that_is_away_for_longer_than_the_lease(world: AttemptFixture) -> None:
    assert run_attempt(world.job_id, world.with_engine(CallingEngine(outage(world, 0.5)))) is Outcome.SUCCEEDED
    assert (len(world.job().attempts), len(world.results())) == (1, 1)


def test_a_failure_waits_for_a_store_that_is_away(world: AttemptFixture) -> None:
    def middle(report: Report) -> None:
        outage(world, 0.2)(report)
        raise MemoryError

    assert run_attempt(world.job_id, world.with_engine(CallingEngine(middle))) is Outcome.WAITING


def test_a_start_waits_for_a_store_that_is_away(world: AttemptFixture) -> None:
    world.store.available = False
    threading.Timer(0.2, lambda: setattr(world.store, "available", True)).start()
    assert run_attempt(world.job_id, world.deps) is Outcome.SUCCEEDED


def test_a_start_gives_up_in_time_and_takes_nothing(world: AttemptFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt, "START_PATIENCE", 0.05)
    world.store.available = False
    with pytest.raises(JobStoreUnavailable):
        run_attempt(world.job_id, world.deps)
    world.store.available = True
    assert world.job().state is JobState.ACCEPTED


def test_the_soft_limit_makes_the_attempt_fail_and_the_next_one_start_at_once(world: AttemptFixture) -> None:
    assert run_attempt(world.job_id, world.with_engine(raising(SoftLimitReached()))) is Outcome.WAITING
    error = world.job().attempts[0].error
    assert error is not None
    assert error.code == "attempt_timed_out"
    assert run_attempt(world.job_id, world.deps) is Outcome.SUCCEEDED


class OnceInterrupted(MemoryJobStore):
    """Commits, and is then struck by the soft limit before it can answer."""

    struck = False

    def succeed(self, *arguments, **named):  # type: ignore[no-untyped-def]
        job = super().succeed(*arguments, **named)
        if not self.struck:
            self.struck = True
            raise SoftLimitReached
        return job


def test_a_soft_limit_during_the_commit_loses_nothing(world: AttemptFixture) -> None:
    world.store = OnceInterrupted()
    world.job_id = world.submit()
    assert run_attempt(world.job_id, replace(world.deps, store=world.store)) is Outcome.SUCCEEDED
    assert (world.job().state, len(world.results())) == (JobState.SUCCEEDED, 1)


def test_an_engine_that_cannot_be_loaded_is_the_workers_fault_not_the_recordings(
    world: AttemptFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str, threads: int) -> None:
        raise EngineMismatch("another model file")

    monkeypatch.setattr("parley_worker.engines.base.load_engine", refuse)
    deps = replace(world.deps, engine=lambda: load(world.deps.settings))
    assert run_attempt(world.job_id, deps) is Outcome.WAITING
    assert world.job().attempts[0].error == Failure("engine_error", "another model file")


@pytest.mark.parametrize("error", [LeaseLost("taken"), JobCancelled("cancelled")])
def test_a_stop_from_the_engine_itself_commits_nothing(world: AttemptFixture, error: Exception) -> None:
    assert run_attempt(world.job_id, world.with_engine(raising(error))) is Outcome.ENDED
    assert (world.job().state, world.results()) == (JobState.RUNNING, [])


def test_the_waveform_is_free_when_the_attempt_has_ended(world: AttemptFixture) -> None:
    alive: list[weakref.ref[NDArray[np.float32]]] = []

    def decode(_: Path) -> NDArray[np.float32]:
        waveform = np.zeros(1000, dtype=np.float32)
        alive.append(weakref.ref(waveform))
        return waveform

    run_attempt(world.job_id, replace(world.deps, decode=decode))
    with capture_logs():  # the console's pretty tracebacks keep what they show
        run_attempt(world.submit(), replace(world.with_engine(CallingEngine(lambda _: bytes(1 << 62))), decode=decode))
    assert [reference() is None for reference in alive] == [True, True]


def test_the_scripted_engine_is_an_engine_like_any_other(world: AttemptFixture) -> None:
    assert run_attempt(world.job_id, world.with_engine(ScriptedEngine(0.05))) is Outcome.SUCCEEDED
