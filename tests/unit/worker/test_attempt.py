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

from parley_audio import DecodedRecording
from parley_core.errors import EngineMismatch, JobCancelled, JobStoreUnavailable, LeaseLost, UnreadableRecording
from parley_core.job import MAX_ATTEMPTS, Failure, JobOptions, JobState, Phase, RetryIn, SpeakerBounds
from parley_core.recording import result_key
from parley_core.result_document import DiarizedRecording, ResultDocument
from parley_core.turns import AudioQuality, AudioWarning, Diarization, EngineInfo, Turn
from parley_core.voiceprints import Role
from parley_worker.attempt import attempt, retry
from parley_worker.attempt.attempt import Outcome, run_attempt
from parley_worker.attempt.lease_renewal import PHASE_SHARES, Progress
from parley_worker.attempt.other_tracks import with_other_tracks
from parley_worker.attempt.retry import SoftLimitReached
from parley_worker.attempt.stopping import WorkerStopping
from parley_worker.dependencies import load
from parley_worker.engines.port import Report
from parley_worker.engines.scripted import ScriptedEngine
from tests.support.attempts import SECOND, AttemptFixture, CallingEngine
from tests.support.fakes import MemoryJobStore
from tests.support.waiting import HANG_SECONDS


def report_until_stopped(report: Report) -> None:
    """Report as an engine does between batches; fail if no report raises."""
    deadline = time.monotonic() + HANG_SECONDS
    while time.monotonic() < deadline:
        report(Phase.EMBEDDING, 0.5)
        time.sleep(0.005)
    raise AssertionError("the engine was not stopped")


def raising(error: BaseException) -> CallingEngine:
    def middle(_: Report) -> None:
        raise error

    return CallingEngine(middle)


def test_a_success_is_stored_under_its_nonce_and_committed(fixture: AttemptFixture) -> None:
    assert run_attempt(fixture.job_id, fixture.deps) is Outcome.SUCCEEDED
    job = fixture.job()
    assert job.state is JobState.SUCCEEDED
    assert job.result is not None
    assert job.result.key == result_key(job.id, job.nonce)
    assert (job.result.speakers, job.result.turns, job.result.seconds_of_speech) == (1, 1, 1.0)
    assert {*Phase, "engine", "engine_cpu"} - {Phase.TRANSCRIPTION} <= set(job.result.timings)
    assert [(a.number, a.worker, a.error) for a in job.attempts] == [(1, "host/abc/1", None)]


def test_the_stored_result_is_the_result_document(fixture: AttemptFixture) -> None:
    run_attempt(fixture.job_id, fixture.deps)
    turn = Turn(0.0, 1.0, "SPEAKER_00")
    assert stored_result(fixture, fixture.job_id) == ResultDocument(
        job_id=fixture.job_id,
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


def stored_result(fixture: AttemptFixture, job_id: str) -> ResultDocument:
    return ResultDocument.from_json(fixture.recordings.read(result_key(job_id, fixture.store.get(job_id).nonce)))


def test_speaker_embeddings_are_stored_only_if_the_job_asks_for_them(fixture: AttemptFixture) -> None:
    deps = fixture.with_engine(KnowingEngine())
    run_attempt(fixture.job_id, deps)
    plain = stored_result(fixture, fixture.job_id)
    assert (plain.speaker_embeddings, plain.embedding_model) == ({}, "")
    job_id = fixture.submit(JobOptions(speaker_embeddings=True))
    run_attempt(job_id, deps)
    asked = stored_result(fixture, job_id)
    assert (asked.speaker_embeddings, asked.embedding_model) == ({"SPEAKER_00": (0.6, 0.8)}, "knowing/abc")


def test_embeddings_of_an_unnamed_model_belong_to_the_engines_version(fixture: AttemptFixture) -> None:
    job_id = fixture.submit(JobOptions(speaker_embeddings=True))
    run_attempt(job_id, fixture.with_engine(KnowingEngine(embedding_model="")))
    assert stored_result(fixture, job_id).embedding_model == "scripted 1"


def test_named_channels_give_speakers_roles(fixture: AttemptFixture) -> None:
    def levels(path: Path, channels: int) -> NDArray[np.float32]:
        assert path.read_bytes() == b"sound"
        return np.full((50, channels), (1e-6, 1e-3), np.float32)

    job_id = fixture.submit(JobOptions(channels=(Role.CLINICIAN, Role.PATIENT)))
    run_attempt(job_id, replace(fixture.deps, levels=levels))
    assert stored_result(fixture, job_id).roles == {"SPEAKER_00": Role.PATIENT}


class UnsureEngine(ScriptedEngine):
    """Has little confidence in the second of three turns, and states from which confidence a turn needs no review."""

    def __init__(self) -> None:
        super().__init__(0.0)
        self.info = EngineInfo("unsure", "1", parameters={"review_below": 0.8})

    def diarize(self, waveform: NDArray[np.float32], speakers: SpeakerBounds, report: Report) -> Diarization:
        super().diarize(waveform, speakers, report)
        confidences = {0.0: 0.8, 1.0: 0.79, 2.5: 0.99}
        turns = tuple(Turn(start, start + 0.5, "SPEAKER_00", confidence) for start, confidence in confidences.items())
        return Diarization(turns, turns, ())


def test_the_record_says_how_much_needs_review(fixture: AttemptFixture) -> None:
    run_attempt(fixture.job_id, fixture.with_engine(UnsureEngine()))
    result = fixture.job().result
    assert result is not None
    assert (result.turns_to_review, result.seconds_to_review) == (1, 0.5)


def test_the_record_of_an_engine_without_confidence_says_nothing_about_review(fixture: AttemptFixture) -> None:
    run_attempt(fixture.job_id, fixture.deps)
    result = fixture.job().result
    assert result is not None
    assert result.turns_to_review is result.seconds_to_review is None


def test_a_duplicate_message_starts_nothing(fixture: AttemptFixture) -> None:
    second: list[Outcome] = []
    engine = CallingEngine(lambda _: second.append(run_attempt(fixture.job_id, fixture.deps)))
    assert run_attempt(fixture.job_id, fixture.with_engine(engine)) is Outcome.SUCCEEDED
    assert second == [Outcome.DUPLICATE]
    assert run_attempt(fixture.job_id, fixture.deps) is Outcome.DUPLICATE
    assert len(fixture.job().attempts) == len(fixture.results()) == 1


def test_every_message_that_was_taken_makes_room_for_the_next(fixture: AttemptFixture) -> None:
    called: list[object] = []
    deps = replace(fixture.deps, publish_next=called.append)
    assert [run_attempt(fixture.job_id, deps) for _ in range(2)] == [Outcome.SUCCEEDED, Outcome.DUPLICATE]
    assert called == [fixture.store] * 2


def test_the_time_of_an_attempt_is_noted_and_its_stop_too(
    fixture: AttemptFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def middle(_: Report) -> None:
        fixture.store.cancel(fixture.job_id)
        fixture.recordings.available = False  # nothing of the attempt can be deleted, which ends it all the same
        raise MemoryError

    noted: list[object] = []
    monkeypatch.setattr(fixture.store, "note_stopped", lambda *lease: noted.append(lease[0]))
    deps = replace(
        fixture.with_engine(CallingEngine(middle)), note_phases=lambda seconds: noted.append("decoding" in seconds)
    )
    assert run_attempt(fixture.job_id, deps) is Outcome.ENDED
    assert noted == [True, fixture.job_id]


@pytest.mark.parametrize("trouble", ["cancelled", "away"])
def test_a_stop_is_over_at_once_in_any_trouble(
    fixture: AttemptFixture, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    def middle(_: Report) -> None:
        fixture.store.cancel(fixture.job_id)
        fixture.store.available = trouble != "away"
        fixture.recordings.available = False
        raise WorkerStopping("The worker was told to stop.")

    monkeypatch.setattr(attempt, "GIVE_BACK_WAIT_SECONDS", 0.0)
    ended = Outcome.GIVEN_BACK if trouble == "away" else Outcome.ENDED
    assert run_attempt(fixture.job_id, fixture.with_engine(CallingEngine(middle))) is ended


def test_an_unknown_job_is_a_message_to_be_dropped(fixture: AttemptFixture) -> None:
    assert run_attempt("no-such-job", fixture.deps) is Outcome.DUPLICATE


def test_a_permanent_error_fails_the_job_at_once(fixture: AttemptFixture) -> None:
    def damaged(_: Path) -> DecodedRecording:
        raise UnreadableRecording("damaged")

    assert run_attempt(fixture.job_id, replace(fixture.deps, decode=damaged)) is Outcome.FAILED
    job = fixture.job()
    assert (job.state, job.error) == (JobState.FAILED, Failure("unreadable_recording", "damaged"))
    assert len(job.attempts) == 1


def test_a_missing_recording_fails_the_job_with_that_reason(fixture: AttemptFixture) -> None:
    fixture.recordings.delete(fixture.job().recording.key)
    assert run_attempt(fixture.job_id, fixture.deps) is Outcome.FAILED
    assert fixture.job().error == Failure("unreadable_recording", "The stored recording is gone.")


@pytest.mark.parametrize("error", [MemoryError(), ZeroDivisionError(), KeyError("x"), OSError(28, "disk full")])
def test_whatever_an_engine_raises_is_tried_again_later(fixture: AttemptFixture, error: Exception) -> None:
    assert run_attempt(fixture.job_id, fixture.with_engine(raising(error))) is Outcome.WAITING
    job = fixture.job()
    assert job.state is JobState.QUEUED
    assert job.attempts[0].error == Failure("engine_error", f"{type(error).__name__} while working on the recording.")
    assert run_attempt(fixture.job_id, fixture.deps) is Outcome.DUPLICATE, "it must wait for its next attempt"


def test_a_poison_job_costs_four_attempts_and_waits_between_them(
    fixture: AttemptFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, waits = [1000.0], []
    store = MemoryJobStore(now=lambda: clock[0])
    deps = replace(fixture.with_engine(raising(MemoryError())), store=store)
    fixture.store = store
    job_id = fixture.submit()
    while run_attempt(job_id, deps) is Outcome.WAITING:
        before = clock[0]
        while not store.claim_due(1):
            clock[0] += 1
        waits.append(clock[0] - before)
    job = store.get(job_id)
    assert (job.state, len(job.attempts), waits) == (JobState.FAILED, MAX_ATTEMPTS, [60, 120, 240])
    assert job.error is not None
    assert job.error.code == "engine_error"


def test_an_object_store_that_is_down_is_tried_again_later(fixture: AttemptFixture) -> None:
    fixture.recordings.available = False
    assert run_attempt(fixture.job_id, fixture.deps) is Outcome.WAITING
    error = fixture.job().attempts[0].error
    assert error is not None
    assert error.code == "object_store_unavailable"


def test_a_cancel_stops_the_engine_between_two_batches_and_leaves_no_result(fixture: AttemptFixture) -> None:
    def middle(report: Report) -> None:
        fixture.store.cancel(fixture.job_id)
        report_until_stopped(report)

    assert run_attempt(fixture.job_id, fixture.with_engine(CallingEngine(middle))) is Outcome.ENDED
    assert (fixture.job().state, fixture.results()) == (JobState.CANCELLED, [])
    counters = fixture.store.stats().counters
    assert sum(count for name, count in counters.items() if name.startswith("cancel_seconds_bucket")) == 1


def test_a_cancel_that_the_engine_does_not_notice_still_wins(fixture: AttemptFixture) -> None:
    engine = CallingEngine(lambda _: (fixture.store.cancel(fixture.job_id), None)[1])
    deps = replace(
        fixture.with_engine(engine), settings=fixture.deps.settings.model_copy(update={"lease_renewal_seconds": 9})
    )
    assert run_attempt(fixture.job_id, deps) is Outcome.ENDED
    assert (fixture.job().state, fixture.results()) == (JobState.CANCELLED, [])


def take_over(fixture: AttemptFixture) -> None:
    """End the running attempt as the keeper does, and start the next one."""
    time.sleep(fixture.deps.settings.lease_seconds + 0.05)
    lapsed = fixture.store.lapsed_leases(1)[0]
    fixture.store.fail_attempt(lapsed.lease, Failure("worker_lost", "gone"), RetryIn(0.0))
    assert fixture.store.start_attempt(fixture.job_id, "host/def/2", 60)


def test_a_worker_that_wakes_after_its_lease_cannot_commit(fixture: AttemptFixture) -> None:
    frozen = fixture.deps.settings.model_copy(update={"lease_renewal_seconds": 9})
    deps = replace(fixture.with_engine(CallingEngine(lambda _: take_over(fixture))), settings=frozen)
    assert run_attempt(fixture.job_id, deps) is Outcome.ENDED
    job = fixture.job()
    assert (job.state, job.token, fixture.results()) == (JobState.RUNNING, 2, [])


def test_the_failure_of_a_worker_that_lost_its_lease_changes_nothing(fixture: AttemptFixture) -> None:
    def middle(_: Report) -> None:
        take_over(fixture)
        raise MemoryError

    frozen = fixture.deps.settings.model_copy(update={"lease_renewal_seconds": 9})
    assert (
        run_attempt(fixture.job_id, replace(fixture.with_engine(CallingEngine(middle)), settings=frozen))
        is Outcome.ENDED
    )
    assert (fixture.job().state, fixture.job().token) == (JobState.RUNNING, 2)


def test_renewals_keep_the_lease_and_write_progress(fixture: AttemptFixture) -> None:
    def middle(report: Report) -> None:
        report(Phase.EMBEDDING, 0.25)
        time.sleep(settings.lease_seconds * 2)
        assert fixture.store.lapsed_leases(1) == []
        before = PHASE_SHARES[Phase.DECODING] + PHASE_SHARES[Phase.SEGMENTATION]
        progress = pytest.approx(before + PHASE_SHARES[Phase.EMBEDDING] / 4)
        assert (fixture.job().phase, fixture.job().progress) == (Phase.EMBEDDING, progress)

    settings = fixture.deps.settings.model_copy(update={"lease_seconds": 1.0})  # for a busy machine
    deps = replace(fixture.with_engine(CallingEngine(middle)), settings=settings)
    assert run_attempt(fixture.job_id, deps) is Outcome.SUCCEEDED


def test_the_shares_of_the_phases_are_in_order_and_add_up_to_one() -> None:
    assert list(PHASE_SHARES) == list(Phase)
    assert sum(PHASE_SHARES.values()) == pytest.approx(1.0)


def test_progress_only_grows_whatever_an_engine_reports() -> None:
    progress = Progress()
    seen = [progress.now[1]]
    for phase in (Phase.DECODING, Phase.EMBEDDING, Phase.SEGMENTATION, Phase.CLUSTERING, Phase.STORING):
        for fraction in (0.0, 0.5, 0.25, 1.0, 7.0):
            progress.move_to(phase, fraction)
            seen.append(progress.now[1])
            assert progress.now[0] is phase
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0.0, 1.0)


def test_timings_add_up_over_visits_of_a_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("parley_worker.attempt.lease_renewal.time.monotonic", lambda: clock[0])
    progress = Progress()
    for phase in (Phase.SEGMENTATION, Phase.EMBEDDING, Phase.SEGMENTATION):
        clock[0] += 1.5
        progress.move_to(phase, 0.5)
    clock[0] += 0.25
    assert progress.timings() == {"decoding": 1.5, "segmentation": 1.75, "embedding": 1.5}
    assert progress.timings() == {"decoding": 1.5, "segmentation": 1.75, "embedding": 1.5}


def outage(fixture: AttemptFixture, seconds: float) -> Callable[[Report], None]:
    def middle(report: Report) -> None:
        fixture.store.available = False
        threading.Timer(seconds, lambda: setattr(fixture.store, "available", True)).start()
        report(Phase.EMBEDDING, 0.5)

    return middle


def test_a_result_waits_for_a_store_that_is_away_for_longer_than_the_lease(fixture: AttemptFixture) -> None:
    assert run_attempt(fixture.job_id, fixture.with_engine(CallingEngine(outage(fixture, 0.5)))) is Outcome.SUCCEEDED
    assert (len(fixture.job().attempts), len(fixture.results())) == (1, 1)


def test_a_failure_waits_for_a_store_that_is_away(fixture: AttemptFixture) -> None:
    def middle(report: Report) -> None:
        outage(fixture, 0.2)(report)
        raise MemoryError

    assert run_attempt(fixture.job_id, fixture.with_engine(CallingEngine(middle))) is Outcome.WAITING


def test_a_start_waits_for_a_store_that_is_away(fixture: AttemptFixture) -> None:
    fixture.store.available = False
    threading.Timer(0.2, lambda: setattr(fixture.store, "available", True)).start()
    assert run_attempt(fixture.job_id, fixture.deps) is Outcome.SUCCEEDED


def test_the_pauses_of_a_wait_grow_up_to_the_longest(fixture: AttemptFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([JobStoreUnavailable("away")] * 4)
    pauses: list[float] = []
    monkeypatch.setattr(retry.time, "sleep", pauses.append)

    def answer() -> str:
        for error in answers:
            raise error
        return "done"

    assert retry.retry_while_unavailable(answer) == "done"
    assert pauses == [retry.FIRST_PAUSE, *[retry.LONGEST_PAUSE] * 3]


def test_a_start_gives_up_in_time_and_takes_nothing(fixture: AttemptFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt, "START_WAIT_SECONDS", 0.05)
    fixture.store.available = False
    with pytest.raises(JobStoreUnavailable):
        run_attempt(fixture.job_id, fixture.deps)
    fixture.store.available = True
    assert fixture.job().state is JobState.ACCEPTED


def test_the_soft_limit_fails_the_attempt_and_the_next_one_start_at_once(fixture: AttemptFixture) -> None:
    assert run_attempt(fixture.job_id, fixture.with_engine(raising(SoftLimitReached()))) is Outcome.WAITING
    error = fixture.job().attempts[0].error
    assert error is not None
    assert error.code == "attempt_timed_out"
    assert run_attempt(fixture.job_id, fixture.deps) is Outcome.SUCCEEDED


class OnceInterrupted(MemoryJobStore):
    """Commits, and is then interrupted by the soft limit before it returns."""

    interrupted = False

    def succeed(self, *arguments, **named):  # type: ignore[no-untyped-def]
        job = super().succeed(*arguments, **named)
        if not self.interrupted:
            self.interrupted = True
            raise SoftLimitReached
        return job


def test_a_soft_limit_during_the_commit_loses_nothing(fixture: AttemptFixture) -> None:
    fixture.store = OnceInterrupted()
    fixture.job_id = fixture.submit()
    assert run_attempt(fixture.job_id, replace(fixture.deps, store=fixture.store)) is Outcome.SUCCEEDED
    assert (fixture.job().state, len(fixture.results())) == (JobState.SUCCEEDED, 1)


def test_an_engine_that_cannot_be_loaded_is_tried_again_later(
    fixture: AttemptFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str, threads: int) -> None:
        raise EngineMismatch("another model file")

    monkeypatch.setattr("parley_worker.engines.base.load_engine", refuse)
    deps = replace(fixture.deps, engine=lambda: load(fixture.deps.settings))
    assert run_attempt(fixture.job_id, deps) is Outcome.WAITING
    assert fixture.job().attempts[0].error == Failure("engine_error", "another model file")


@pytest.mark.parametrize("error", [LeaseLost("taken"), JobCancelled("cancelled")])
def test_a_stop_from_the_engine_itself_commits_nothing(fixture: AttemptFixture, error: Exception) -> None:
    assert run_attempt(fixture.job_id, fixture.with_engine(raising(error))) is Outcome.ENDED
    assert (fixture.job().state, fixture.results()) == (JobState.RUNNING, [])


@pytest.mark.parametrize(
    ("tracks", "details"), [(1, []), (2, ["The file has 2 audio tracks; only the first one was read."])]
)
def test_a_result_says_if_its_file_has_other_tracks(fixture: AttemptFixture, tracks: int, details: list[str]) -> None:
    deps = replace(fixture.deps, decode=lambda _: DecodedRecording(SECOND, tracks))
    assert run_attempt(fixture.job_id, deps) is Outcome.SUCCEEDED
    (key,) = fixture.results()
    quality = ResultDocument.from_json(fixture.recordings.objects[key]).audio_quality
    warnings = quality.warnings if quality else ()
    assert [(warning.code, warning.detail) for warning in warnings] == [("other_tracks", detail) for detail in details]


def test_other_tracks_stand_behind_what_the_engine_heard_and_ask_for_no_review() -> None:
    noise = AudioWarning("noise", "It is loud.", needs_review=False)
    heard = Diarization((), (), (), audio_quality=AudioQuality({"level_dbfs": -20.0}, (noise,)))
    quality = with_other_tracks(heard, 3).audio_quality
    assert quality is not None
    assert [warning.code for warning in quality.warnings] == ["noise", "other_tracks"]
    assert (quality.measures, quality.needs_review) == ({"level_dbfs": -20.0}, False)


def test_the_waveform_is_free_when_the_attempt_has_ended(fixture: AttemptFixture) -> None:
    alive: list[weakref.ref[NDArray[np.float32]]] = []

    def decode(_: Path) -> DecodedRecording:
        waveform = np.zeros(1000, dtype=np.float32)
        alive.append(weakref.ref(waveform))
        return DecodedRecording(waveform)

    run_attempt(fixture.job_id, replace(fixture.deps, decode=decode))
    with capture_logs():  # the console's pretty tracebacks keep what they show
        run_attempt(
            fixture.submit(), replace(fixture.with_engine(CallingEngine(lambda _: bytes(1 << 62))), decode=decode)
        )
    assert [reference() is None for reference in alive] == [True, True]


def test_the_scripted_engine_is_an_engine_like_any_other(fixture: AttemptFixture) -> None:
    assert run_attempt(fixture.job_id, fixture.with_engine(ScriptedEngine(0.05))) is Outcome.SUCCEEDED
