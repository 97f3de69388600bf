"""One attempt at one job, from its start in the record to its end in the record. Knows nothing of messages.

The order of steps is the guarantee: counted before work begins, stored before committed, committed under the token.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from structlog.contextvars import bound_contextvars

from parley_core.errors import (
    AttemptEnded,
    AttemptTimedOut,
    EngineError,
    ObjectStoreUnavailable,
    ParleyError,
    UnreadableRecording,
)
from parley_core.job import Failure, Job, JobState, Lease, Phase, ResultSummary, after_failure
from parley_core.logs import get_logger
from parley_core.recording import result_key
from parley_core.result_document import ResultDocument
from parley_worker.attempt.channel_roles import roles_by_channel
from parley_worker.attempt.lease_renewal import LeaseRenewal
from parley_worker.attempt.retry import SoftLimitReached, retry_ignoring_soft_limit, retry_while_unavailable
from parley_worker.dependencies import Dependencies

START_PATIENCE = 300.0  # seconds to wait for Redis before work begins; leaves the rest of the soft limit for the work
STORING_PATIENCE = 120.0  # seconds to wait for the object store with a finished result in hand

log = get_logger(__name__)


class Outcome(StrEnum):
    """How an attempt ended."""

    SUCCEEDED = "succeeded"
    WAITING = "waiting"  # failed; the job waits for its next attempt
    FAILED = "failed"  # and so did the job
    ENDED = "ended"  # cancelled, or another attempt owns the job; nothing was committed
    DUPLICATE = "duplicate"  # the job was not there to be taken


def run_attempt(job_id: str, deps: Dependencies) -> Outcome:
    """Take the job, do it and commit, or record why not.

    Raises:
        JobStoreUnavailable: the record could not be reached in time to take the job; it was not taken.
    """
    lease_seconds = deps.settings.lease_seconds
    started = retry_while_unavailable(
        lambda: deps.store.start_attempt(job_id, deps.worker, lease_seconds), START_PATIENCE
    )
    if started is None:
        log.info("nothing to take", job_id=job_id)
        return Outcome.DUPLICATE
    job, lease = started
    with bound_contextvars(job_id=job_id, attempt=len(job.attempts)):
        log.info("attempt started")
        outcome = _Attempt(job, lease, deps).run()
        log.info("attempt ended", outcome=outcome.value)
    return outcome


class _Attempt:
    def __init__(self, job: Job, lease: Lease, deps: Dependencies) -> None:
        self._job, self._lease, self._deps = job, lease, deps

    def run(self) -> Outcome:
        try:
            with LeaseRenewal(self._deps.store, self._lease, self._deps.settings) as heartbeat:
                result = self._work(heartbeat)
                retry_ignoring_soft_limit(lambda: self._deps.store.succeed(self._lease, result))
            return Outcome.SUCCEEDED
        except AttemptEnded as error:
            return self._discard(error)
        except SoftLimitReached:
            return self._fail(
                AttemptTimedOut(f"The attempt took longer than its limit, {self._job.limits.soft:.0f} s.")
            )
        except ParleyError as error:
            return self._fail(error)
        except Exception as error:  # whatever an engine raises: the job must not be left running
            log.exception("engine broke")
            return self._fail(EngineError(f"{type(error).__name__} while working on the recording."))

    def _work(self, heartbeat: LeaseRenewal) -> ResultSummary:
        engine = self._deps.engine()
        waveform, levels = self._decode()
        began = time.monotonic()
        diarization = engine.diarize(waveform, self._job.options.speakers, heartbeat.report)
        seconds = time.monotonic() - began
        heartbeat.report(Phase.STORING, 0.0)
        roles = roles_by_channel(diarization, levels, self._job.options.channels)
        document = ResultDocument.of(self._job, diarization, engine.info, roles)
        key = result_key(self._lease.job_id, self._lease.nonce)
        self._store(key, document.to_json())
        timings = {**heartbeat.progress.timings(), "engine": round(seconds, 3)}
        return document.summary(key, timings)

    def _decode(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The waveform, and the levels of as many channels as the caller has named."""
        with ExitStack() as stack:
            try:
                path = stack.enter_context(self._deps.recordings.fetch(self._job.recording.key))
            except KeyError:
                raise UnreadableRecording("The stored recording is gone.") from None
            channels = len(self._job.options.channels)
            levels = self._deps.levels(path, channels) if channels else np.zeros((0, 0), np.float32)
            return self._deps.decode(path), levels

    def _store(self, key: str, data: bytes) -> None:
        retry_while_unavailable(lambda: self._deps.recordings.put(key, data), STORING_PATIENCE)

    def _discard(self, reason: AttemptEnded) -> Outcome:
        log.info("attempt no longer owns the job", code=reason.code)
        try:
            self._deps.recordings.delete(result_key(self._lease.job_id, self._lease.nonce))
        except ObjectStoreUnavailable as error:
            log.warning("result of an ended attempt left to the keeper", code=error.code)
        return Outcome.ENDED

    def _fail(self, error: ParleyError) -> Outcome:
        failure, then = Failure(error.code, error.detail), after_failure(self._job.attempts[-1].number, error)
        log.warning("attempt failed", code=error.code, detail=error.detail)
        try:
            job = retry_ignoring_soft_limit(lambda: self._deps.store.fail_attempt(self._lease, failure, then))
        except AttemptEnded:  # a result that was stored stays: the soft limit may strike right after its commit
            return Outcome.ENDED
        if job.nonce != self._lease.nonce:  # a keeper had ended this attempt, and the next one is on its way
            return Outcome.ENDED
        return Outcome.FAILED if job.state is JobState.FAILED else Outcome.WAITING
