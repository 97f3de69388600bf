"""The words of a job that has ended, where a caller asks for them: a recogniser was away, or they are wanted later.

No engine runs and the job does not change its state. The words lie where those of an attempt lie.
"""

from __future__ import annotations

from contextlib import suppress

from structlog.contextvars import bound_contextvars

from parley_core.errors import (
    AttemptEnded,
    ParleyError,
    TranscriptionTimedOut,
    UnusableTranscription,
)
from parley_core.job import Job, Lease
from parley_core.logs import get_logger
from parley_core.recording import words_key
from parley_core.transcript import Transcription
from parley_worker.attempt.lease_renewal import SHARES_OF_WORDS, LeaseRenewal
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
from parley_worker.attempt.transcription import AttemptTranscription, Transcribed
from parley_worker.dependencies import Dependencies

log = get_logger(__name__)


def answer_request(job_id: str, deps: Dependencies) -> bool | None:
    """Answer the request for the words of a job that has ended; return None if there is none to answer.

    Returns whether the attempt is over; False says that the worker stops and the request goes on elsewhere.

    Raises:
        JobStoreUnavailable: the record did not answer in time. The request is as it was.
    """
    requests = deps.words_requests
    assert requests is not None, "the caller has looked"
    lease_seconds = deps.settings.lease_seconds
    started = retry_while_unavailable(lambda: requests.start(job_id, deps.worker, lease_seconds), START_WAIT_SECONDS)
    if started is None:
        return None
    job, lease = started
    with bound_contextvars(job_id=job_id, tenant=job.tenant, trace_id=job.trace_id):
        log.info("transcription started")
        try:
            found = _found(job, lease, deps)
        except WorkerStopping:
            with suppress(*STORE_ERRORS):  # the lease ends by itself
                requests.give_back(lease)
            return False
        except AttemptEnded as error:
            log.info("request for words no longer owned", code=error.code)
            return True
        kept = retry_ignoring_soft_limit(lambda: requests.answer(job_id, lease.nonce, found))
        if not kept and job.result is not None:
            deps.recordings.delete(words_key(job.result.key))
        log.info("transcription ended", code=found.error_code, words=found.words)
    return True


def _found(job: Job, lease: Lease, deps: Dependencies) -> Transcription:
    """Return what became of the words, which are stored then. Raises AttemptEnded or WorkerStopping."""
    try:
        return _transcribe(job, lease, deps)
    except (AttemptEnded, WorkerStopping):
        raise
    except SoftLimitReached:
        late = TranscriptionTimedOut(f"The transcription took longer than its limit, {job.limits.soft:.0f} s.")
        return Transcription(error_code=late.code, error_detail=late.detail)
    except ParleyError as error:
        log.warning("no transcript", code=error.code, detail=error.detail)
        return Transcription(error_code=error.code, error_detail=error.detail)
    except Exception as error:  # noqa: BLE001  # its text may hold words, and the request must not stay open
        log.error("no transcript", error=type(error).__name__)
        return Transcription(error_code=UnusableTranscription.code, error_detail="The words could not be stored.")


def _transcribe(job: Job, lease: Lease, deps: Dependencies) -> Transcription:
    requests, result = deps.words_requests, job.result
    assert requests is not None and result is not None, "only such a request starts"
    with LeaseRenewal(requests, lease, deps.settings, deps.stopping, SHARES_OF_WORDS) as renewal:
        with stored_recording(deps.recordings, job) as path:
            waveform = deps.decode(path).waveform
        transcription = AttemptTranscription(
            deps.recogniser(), deps.recordings, job, waveform, deps.settings, resumed=True
        )
        with transcription:
            found: Transcribed = transcription.wait(renewal.report)
        if found.transcript is not None:
            stored = found.transcript.to_json()
            retry_while_unavailable(lambda: deps.recordings.put(words_key(result.key), stored), STORE_WAIT_SECONDS)
        transcription.remove()
    return found.outcome
