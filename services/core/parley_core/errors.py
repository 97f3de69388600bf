"""Every error that Parley raises on purpose, by class.

    ParleyError
    ├── PermanentError                 trying again cannot help
    │   ├── InvalidRequest             the caller's options or headers are wrong
    │   ├── RecordingError             the recording itself is wrong
    │   │   ├── EmptyRecording
    │   │   ├── NotAudio               the bytes are no audio container that Parley reads
    │   │   ├── RecordingTooLarge      more bytes than the limit
    │   │   ├── RecordingTooLong       more seconds than the limit, or than an attempt may take
    │   │   └── UnreadableRecording    damaged, truncated, or a header that cannot be true
    │   ├── JobNotFound
    │   ├── JobPurged
    │   ├── JobNotFinished             the turns were asked for too early
    │   ├── JobNotSucceeded            the turns of a failed or cancelled job
    │   ├── JobAlreadyTerminal         nothing left to cancel
    │   ├── JobNotRetryable            only failed and cancelled jobs can be tried again by hand
    │   ├── IdempotencyKeyReused       same key, other content
    │   ├── IdempotencyKeyInUse        the first request with this key has not been answered yet
    │   ├── VoiceprintNotFound
    │   ├── VoiceprintNameTaken             the tenant has enrolled this name already
    │   ├── TooManyVoiceprints              the tenant has enrolled as many as it may
    │   ├── DeliveryNotFound
    │   ├── UnsafeTarget               a URL that Parley does not send requests to
    │   ├── UnsafeSettings             this process must not start like this
    │   ├── RecordUnreadable           a record that this version of Parley cannot read
    │   ├── JobStoreUnusable           Redis runs in a way that Parley cannot use: a cluster, too old, missing rights
    │   ├── EngineMismatch             a model file is not the one this version was built for
    │   ├── RecogniserRefused          the recogniser does not take the recording as it was sent
    │   └── UnusableTranscription      the recogniser's answer makes no transcript
    ├── RetryableError                 the same call can succeed later
    │   ├── JobStoreUnavailable        Redis does not answer
    │   ├── JobStoreFull               Redis is near or over its memory limit
    │   ├── QueueFull                  more unfinished jobs than the queue may hold
    │   ├── ObjectStoreUnavailable     recordings cannot be read or written
    │   ├── DecodingInterrupted        the decoding process died or was stopped; the recording may be sound
    │   ├── EngineError                the engine broke in a way that nobody foresaw, or ran out of memory
    │   ├── WorkerLost                 the lease ran out: the worker is dead, frozen or cut off
    │   ├── AttemptTimedOut            the time limit of the attempt
    │   ├── RecogniserUnavailable      the recogniser does not answer, or is too busy
    │   └── TranscriptionTimedOut      the recogniser takes longer than it may
    └── AttemptEnded                   this worker no longer owns the job and must stop
        ├── LeaseLost                  another attempt took over
        └── JobCancelled               somebody cancelled the job

`code` is stable and part of the HTTP contract; the message is for people and says what to do.
"""

from __future__ import annotations

from typing import ClassVar


class ParleyError(Exception):
    """Base of every error that Parley raises on purpose."""

    code: ClassVar[str] = "internal_error"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class PermanentError(ParleyError):
    """Trying again cannot help."""


class RetryableError(ParleyError):
    """The same call can succeed later."""


class AttemptEnded(ParleyError):
    """This worker no longer owns the job and must stop."""


class InvalidRequest(PermanentError):
    code = "invalid_request"


class RecordingError(PermanentError):
    code = "invalid_recording"


class EmptyRecording(RecordingError):
    code = "empty_recording"


class NotAudio(RecordingError):
    code = "not_audio"


class RecordingTooLarge(RecordingError):
    code = "recording_too_large"


class RecordingTooLong(RecordingError):
    code = "recording_too_long"


class UnreadableRecording(RecordingError):
    code = "unreadable_recording"


class JobNotFound(PermanentError):
    code = "job_not_found"


class JobPurged(PermanentError):
    code = "job_purged"

    def __init__(self, detail: str = "This job was purged: its recording, result and record are gone.") -> None:
        super().__init__(detail)


class JobNotFinished(PermanentError):
    code = "job_not_finished"


class JobNotSucceeded(PermanentError):
    code = "job_not_succeeded"


class JobAlreadyTerminal(PermanentError):
    code = "job_already_terminal"


class JobNotRetryable(PermanentError):
    code = "job_not_retryable"


class IdempotencyKeyReused(PermanentError):
    code = "idempotency_key_reused"


class IdempotencyKeyInUse(PermanentError):
    code = "idempotency_key_in_use"


class VoiceprintNotFound(PermanentError):
    code = "voiceprint_not_found"


class VoiceprintNameTaken(PermanentError):
    code = "voiceprint_name_taken"


class TooManyVoiceprints(PermanentError):
    code = "too_many_voiceprints"


class DeliveryNotFound(PermanentError):
    code = "delivery_not_found"


class UnsafeTarget(PermanentError):
    code = "unsafe_target"


class UnsafeSettings(PermanentError):
    code = "unsafe_settings"


class RecordUnreadable(PermanentError):
    code = "record_unreadable"


class JobStoreUnusable(PermanentError):
    code = "job_store_unusable"


class EngineMismatch(PermanentError):
    code = "engine_mismatch"


class RecogniserRefused(PermanentError):
    code = "recogniser_refused"


class UnusableTranscription(PermanentError):
    code = "unusable_transcription"


class JobStoreUnavailable(RetryableError):
    code = "job_store_unavailable"


class JobStoreFull(RetryableError):
    code = "job_store_full"


class QueueFull(RetryableError):
    code = "queue_full"


class ObjectStoreUnavailable(RetryableError):
    code = "object_store_unavailable"


class DecodingInterrupted(RetryableError):
    code = "decoding_interrupted"


class EngineError(RetryableError):
    code = "engine_error"


class WorkerLost(RetryableError):
    code = "worker_lost"


class AttemptTimedOut(RetryableError):
    code = "attempt_timed_out"


class RecogniserUnavailable(RetryableError):
    code = "recogniser_unavailable"


class TranscriptionTimedOut(RetryableError):
    code = "transcription_timed_out"


class LeaseLost(AttemptEnded):
    code = "lease_lost"


class JobCancelled(AttemptEnded):
    code = "job_cancelled"
