"""One attempt at one job, from its start in the record to its end in the record.

The guarantee is the order of the steps: the attempt is counted before the work begins, the result is stored before it
is committed, and only the newest attempt can commit.
"""

from __future__ import annotations

import time
from contextlib import nullcontext, suppress
from dataclasses import replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from structlog.contextvars import bound_contextvars

from parley_audio import DecodedRecording
from parley_core.errors import (
    AttemptEnded,
    AttemptTimedOut,
    EngineError,
    JobCancelled,
    ObjectStoreUnavailable,
    ParleyError,
)
from parley_core.job import Failure, Job, JobState, Lease, Phase, ResultSummary, after_failure
from parley_core.logs import get_logger
from parley_core.recording import evidence_key, peaks_key, result_key, voices_key, words_key
from parley_core.result_document import ResultDocument
from parley_core.turns import Diarization
from parley_worker.attempt.channel_roles import roles_by_channel
from parley_worker.attempt.checkpoint import StoredCheckpoint
from parley_worker.attempt.lease_renewal import PHASE_SHARES, SHARES_WITH_WORDS, LeaseRenewal
from parley_worker.attempt.other_tracks import with_other_tracks
from parley_worker.attempt.peaks import peaks_of
from parley_worker.attempt.retry import (
    START_WAIT_SECONDS,
    STORE_ERRORS,
    STORE_WAIT_SECONDS,
    SoftLimitReached,
    retry_ignoring_soft_limit,
    retry_while_unavailable,
)
from parley_worker.attempt.stopping import WorkerStopping
from parley_worker.attempt.stored_recording import stored_recording
from parley_worker.dependencies import Dependencies
from parley_worker.engines.checkpoint import ResumableEngine
from parley_worker.engines.port import Engine

if TYPE_CHECKING:
    from parley_worker.attempt.transcription import AttemptTranscription

GIVE_BACK_WAIT_SECONDS = 5.0  # for the job store; a stopping worker has little time, and the lease ends by itself

Waveform = NDArray[np.float32]
Levels = NDArray[np.float32]

log = get_logger(__name__)


class Outcome(StrEnum):
    """How an attempt ended."""

    SUCCEEDED = "succeeded"
    WAITING = "waiting"  # the attempt failed; the job waits for its next attempt
    FAILED = "failed"  # the attempt failed, and the job with it
    GIVEN_BACK = "given_back"  # the worker stops; the job goes on elsewhere, and the attempt does not count
    ENDED = "ended"  # the job was cancelled or belongs to another attempt; nothing was committed
    TRANSCRIBED = "transcribed"  # the words of an ended job were asked for, and the request was answered
    DUPLICATE = "duplicate"  # the job could not be started: a repeated message, or a job that has ended


def run_attempt(job_id: str, deps: Dependencies) -> Outcome:
    """Start an attempt, do the work and commit its result, or record why there is none.

    Raises:
        JobStoreUnavailable: the attempt could not be started in time. The job is as it was.
    """
    started = retry_while_unavailable(
        lambda: deps.store.start_attempt(job_id, deps.worker, deps.settings.lease_seconds), START_WAIT_SECONDS
    )
    if started is None:
        deps.publish_next(deps.store)
        return _without_attempt(job_id, deps)
    job, lease = started
    with bound_contextvars(job_id=job_id, attempt=len(job.attempts), tenant=job.tenant, trace_id=job.trace_id):
        log.info("attempt started")
        outcome = _Attempt(job, lease, deps).run()
        log.info("attempt ended", outcome=outcome.value)
    return outcome


def _without_attempt(job_id: str, deps: Dependencies) -> Outcome:
    """Answer the request for the words of a job that cannot be started, if there is one."""
    if deps.words_requests is not None:
        from parley_worker.attempt.requested_words import answer_request  # loads an HTTP client

        if (answered := answer_request(job_id, deps)) is not None:
            return Outcome.TRANSCRIBED if answered else Outcome.GIVEN_BACK
    log.info("job cannot be started", job_id=job_id)
    return Outcome.DUPLICATE


class _Attempt:
    def __init__(self, job: Job, lease: Lease, deps: Dependencies) -> None:
        self._job, self._lease, self._deps = job, lease, deps
        self._result_key = result_key(lease.job_id, lease.nonce)
        self._checkpoint: StoredCheckpoint | None = None
        self._transcription: AttemptTranscription | None = None

    def run(self) -> Outcome:
        try:
            deps = self._deps
            shares = SHARES_WITH_WORDS if self._job.options.transcribe else PHASE_SHARES
            with LeaseRenewal(deps.store, self._lease, deps.settings, deps.stopping, shares) as renewal:
                self._deps.publish_next(self._deps.store)
                try:
                    result = self._work(renewal)
                finally:
                    self._deps.note_phases(renewal.progress.timings())
                retry_ignoring_soft_limit(lambda: self._deps.store.succeed(self._lease, result))
            self._ask_for_late_words()
            self._remove_checkpoint()
            return Outcome.SUCCEEDED
        except WorkerStopping:
            return self._give_back()
        except AttemptEnded as error:
            return self._discard(error)
        except SoftLimitReached:
            limit = self._job.limits.soft
            return self._fail(AttemptTimedOut(f"The attempt took longer than its limit, {limit:.0f} s."))
        except ParleyError as error:
            return self._fail(error)
        except Exception as error:  # an engine may raise anything, and the job must not stay in state running
            log.exception("engine error")
            return self._fail(EngineError(f"{type(error).__name__} while working on the recording."))

    def _work(self, renewal: LeaseRenewal) -> ResultSummary:
        engine = self._deps.engine()
        (waveform, tracks), levels = self._decode()
        self._transcription = self._transcription_of(waveform)
        with self._transcription or nullcontext():
            start, cpu_start = time.monotonic(), time.process_time()
            diarization = with_other_tracks(self._diarize(engine, waveform, renewal), tracks)
            engine_seconds, cpu_seconds = time.monotonic() - start, time.process_time() - cpu_start
            transcribed = None
            if self._transcription:
                transcribed = self._transcription.wait(renewal.report, self._deps.settings.asr_wait_seconds)
        renewal.report(Phase.STORING, 0.0)
        roles = {} if levels is None else roles_by_channel(diarization, levels, self._job.options.channels)
        document = ResultDocument.of(self._job, diarization, engine.info, roles)
        objects = {peaks_key(self._result_key): peaks_of(waveform)}
        if diarization.evidence is not None:
            objects[evidence_key(self._result_key)] = diarization.evidence.to_bytes()
        if diarization.voices is not None:
            objects[voices_key(self._result_key)] = diarization.voices.to_bytes()
        if transcribed and transcribed.transcript:
            objects[words_key(self._result_key)] = transcribed.transcript.to_json()
        objects[self._result_key] = document.to_json()
        for key, stored in objects.items():
            retry_while_unavailable(partial(self._deps.recordings.put, key, stored), STORE_WAIT_SECONDS)
        engine_timings = {"engine": round(engine_seconds, 3), "engine_cpu": round(cpu_seconds, 3)}
        timings = renewal.progress.timings() | engine_timings
        summary = document.summary(self._result_key, timings)
        return replace(summary, transcription=transcribed.outcome if transcribed else None)

    def _transcription_of(self, waveform: Waveform) -> AttemptTranscription | None:
        if not self._job.options.transcribe:
            return None
        from parley_worker.attempt.transcription import AttemptTranscription  # loads an HTTP client

        deps = self._deps
        resumed = self._job.token > 1
        return AttemptTranscription(
            deps.recogniser(), deps.recordings, self._job, waveform, deps.settings, resumed=resumed
        )

    def _diarize(self, engine: Engine, waveform: Waveform, renewal: LeaseRenewal) -> Diarization:
        speakers = self._job.options.speakers
        if not isinstance(engine, ResumableEngine):
            return engine.diarize(waveform, speakers, renewal.report)
        store, recordings = self._deps.store, self._deps.recordings
        self._checkpoint = StoredCheckpoint(recordings, self._job, engine.info, store.count_ignored_checkpoint)
        with self._checkpoint:
            return engine.resume(waveform, speakers, renewal.report, self._checkpoint)

    def _decode(self) -> tuple[DecodedRecording, Levels | None]:
        """Return the sound, and the levels of the channels if the job names its channels."""
        channels = len(self._job.options.channels)
        with stored_recording(self._deps.recordings, self._job) as path:
            levels = self._deps.levels(path, channels) if channels else None
            return self._deps.decode(path), levels

    def _give_back(self) -> Outcome:
        try:
            retry_while_unavailable(lambda: self._deps.store.give_back(self._lease), GIVE_BACK_WAIT_SECONDS)
        except AttemptEnded as error:
            return self._discard(error)
        except STORE_ERRORS as error:
            log.warning("job not given back; its lease ends by itself", code=error.code)
        return Outcome.GIVEN_BACK

    def _ask_for_late_words(self) -> None:
        """Let the words follow the job. If this fails, its caller sees why there are none, and may ask."""
        if self._transcription is None or not self._transcription.late or self._deps.words_requests is None:
            return
        with suppress(ParleyError):
            self._deps.words_requests.request(self._job.id, round(time.time() * 1000))
            self._transcription = None  # the words of its pieces serve the request

    def _remove_checkpoint(self) -> None:
        for stored in (self._checkpoint, self._transcription):
            if stored:
                stored.remove()

    def _discard(self, reason: AttemptEnded) -> Outcome:
        log.info("attempt no longer owns the job", code=reason.code)
        self._note_stopped()
        if isinstance(reason, JobCancelled):
            self._remove_checkpoint()
        try:
            for key_beside in (peaks_key, evidence_key, voices_key, words_key):
                self._deps.recordings.delete(key_beside(self._result_key))
            self._deps.recordings.delete(self._result_key)
        except ObjectStoreUnavailable as error:
            log.warning("result of an ended attempt not deleted; the keeper will delete it", code=error.code)
        return Outcome.ENDED

    def _fail(self, error: ParleyError) -> Outcome:
        log.warning("attempt failed", code=error.code, detail=error.detail)
        failure = Failure(error.code, error.detail)
        then = after_failure(self._job.attempts[-1].number, error)
        try:
            job = retry_ignoring_soft_limit(lambda: self._deps.store.fail_attempt(self._lease, failure, then))
        except AttemptEnded:  # the soft limit may strike right after a commit, so a stored result is not deleted here
            self._note_stopped()
            return Outcome.ENDED
        if job.nonce != self._lease.nonce:  # the keeper ended this attempt meanwhile, and another one has started
            return Outcome.ENDED
        if job.state is JobState.FAILED:
            self._remove_checkpoint()
            return Outcome.FAILED
        return Outcome.WAITING

    def _note_stopped(self) -> None:
        """Let the time from a cancel to here be counted. It is a metric: a store that is down loses it."""
        with suppress(*STORE_ERRORS):
            self._deps.store.note_stopped(self._lease.job_id, self._lease.nonce)
