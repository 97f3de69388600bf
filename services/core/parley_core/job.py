"""Values of a job: its record, its states and the retry decision. ports.py says how a job is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from parley_core.errors import AttemptTimedOut, ParleyError, PermanentError, WorkerLost
from parley_core.forecast import Estimate
from parley_core.recording import Recording
from parley_core.trace_context import trace_id_of
from parley_core.transcript import Transcription, TranscriptionRequest
from parley_core.voiceprints import Role

DEFAULT_TENANT = "default"  # tenant of every job where authentication is off (loopback only)

MAX_ATTEMPTS = 4  # a recording that kills its process costs no more attempts than this
RETRY_SECONDS = (60.0, 120.0, 240.0)  # before attempts 2, 3 and 4, after a retryable error


class JobState(StrEnum):
    """The state of a job."""

    ACCEPTED = "accepted"  # recorded; not yet handed to Celery
    QUEUED = "queued"  # waits for a worker, or for its next attempt
    RUNNING = "running"  # a worker holds a lease on it
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Whether the job has ended. Only a retry by hand changes it then."""
        return self in TERMINAL_STATES


TERMINAL_STATES = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})


class Queue(StrEnum):
    """A queue of waiting jobs."""

    INTERACTIVE = "interactive"  # a person waits for the result
    BATCH = "batch"


class Phase(StrEnum):
    """The phase of a running attempt."""

    DECODING = "decoding"
    SEGMENTATION = "segmentation"
    EMBEDDING = "embedding"
    CLUSTERING = "clustering"
    TRANSCRIPTION = "transcription"  # the engine is done, the recogniser is not
    STORING = "storing"


RECORDING_REMOVED = "The recording of this job is no longer kept, so it cannot be tried again. Submit it as a new job."


@dataclass(frozen=True, slots=True)
class SpeakerBounds:
    """Bounds of the number of speakers, both inclusive. None leaves a bound to the engine."""

    min: int | None = None
    max: int | None = None


@dataclass(frozen=True, slots=True)
class JobOptions:
    """The options of a submit.

    Attributes:
        reference: the caller's own name for the conversation (`X-Session-ID` of a consult).
        callback_url: where the delivery goes when the job ends.
        retain_seconds: how long recording and result are kept after the end; None is the deployment's default.
        retain_audio_seconds: how long the recording is kept after the end; None is as long as the result.
        speaker_embeddings: keep the embedding of each speaker in the result. It is biometric data.
        channels: role of the speaker on each channel of the recording, in order; empty if unknown.
        transcribe: have the recogniser of the deployment write down the words.
    """

    speakers: SpeakerBounds = SpeakerBounds()
    queue: Queue = Queue.INTERACTIVE
    reference: str | None = None
    callback_url: str | None = None
    retain_seconds: int | None = None
    retain_audio_seconds: int | None = None
    speaker_embeddings: bool = False
    channels: tuple[Role, ...] = ()
    transcribe: bool = False


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Seconds that an attempt may take. At `soft` it is asked to stop, at `hard` its process is killed."""

    soft: float
    hard: float


@dataclass(frozen=True, slots=True)
class Failure:
    """The error of an attempt or a job. `code` is that of an error class; `detail` never holds patient data."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a job. `number` starts at 1; `error` is None while it runs and after it has succeeded."""

    number: int
    worker: str
    started_at: datetime
    ended_at: datetime | None = None
    error: Failure | None = None


@dataclass(frozen=True, slots=True)
class ResultSummary:
    """The part of a result that the record keeps. The turns are an object.

    Attributes:
        key: where the object store keeps the turns.
        speakers: number of speakers.
        turns: number of turns.
        seconds_of_speech: time during which at least one speaker talks.
        engine: EngineInfo as plain data.
        timings: seconds per phase, `engine` for the engine as a whole, and `engine_cpu` for its processor time.
        turns_to_review: number of turns that need review; None if the engine gives no confidence.
        seconds_to_review: total length of these turns.
        plausible_speakers: lowest and highest plausible number of speakers; None if the engine does not know.
        speakers_to_review: number of speakers who may be several people; None if the engine does not know.
        transcription: None unless the job asks for it.
    """

    key: str
    speakers: int
    turns: int
    seconds_of_speech: float
    engine: dict[str, object]
    timings: dict[str, float]
    turns_to_review: int | None = None
    seconds_to_review: float | None = None
    plausible_speakers: tuple[int, int] | None = None
    speakers_to_review: int | None = None
    transcription: Transcription | None = None


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job that is to be recorded. `traceparent` is the caller's trace context, as in Job."""

    id: str
    tenant: str
    recording: Recording
    options: JobOptions
    limits: TimeLimits
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """The record of a job.

    Attributes:
        token: number of the last attempt ever started, over manual retries too: for people and for order.
        nonce: identity of the last attempt started, empty before the first.
        run: number of retries by hand.
        attempts: of the present run; a manual retry begins a new list.
        position: number of jobs before this one in its queue while it is accepted or queued; else None.
        estimate: when it ends; None if it has ended, if no worker serves its queue, or if too few jobs have ended.
        traceparent: the caller's trace context by W3C Trace Context; None without one.
        recording_removed: the recording is gone, and the rest is kept.
        words_request: its words are asked for once more; None while they are not.
    """

    id: str
    tenant: str
    state: JobState
    options: JobOptions
    recording: Recording
    limits: TimeLimits
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    phase: Phase | None = None
    progress: float = 0.0
    token: int = 0
    nonce: str = ""
    run: int = 0
    attempts: tuple[Attempt, ...] = ()
    error: Failure | None = None
    result: ResultSummary | None = None
    position: int | None = None
    estimate: Estimate | None = None
    traceparent: str | None = None
    recording_removed: bool = False
    words_request: TranscriptionRequest | None = None

    @property
    def trace_id(self) -> str:
        """Id of the job's trace, as 32 hex digits."""
        return trace_id_of(self.id, self.traceparent)


@dataclass(frozen=True, slots=True)
class JobEnd:
    """How a job ended. The object store keeps it before the record shows it.

    Attributes:
        state: a terminal state.
        token: of the attempt that ended it, 0 where none had begun.
        attempts: of the run that ended.
    """

    state: JobState
    finished_at: datetime
    started_at: datetime | None = None
    token: int = 0
    attempts: tuple[Attempt, ...] = ()
    error: Failure | None = None
    result: ResultSummary | None = None


@dataclass(frozen=True, slots=True)
class JobTrace:
    """What the object store holds of a job, by the names of its objects alone.

    Attributes:
        accepted: its manifest is there.
        run: number of retries by hand.
        ended: the present run has an end.
        purged: its tombstone is there.
        recording_removed: that of its recording is there.
    """

    job_id: str
    accepted: bool = False
    run: int = 0
    ended: bool = False
    purged: bool = False
    recording_removed: bool = False


@dataclass(frozen=True, slots=True)
class History:
    """How far the history of one Redis is known to be complete.

    Attributes:
        id: of the data set.
        ticks: a number that only grows while nothing is lost.
        complete_until: what was written later may be missing.
        same_server: the process and its role have not changed since then.
        server: identity of the process and of its replication history.
        now: time of the server's clock.
        look_again_since: writes since then are to be compared once more now; None when nothing is.
        evictions: number of keys that this process of Redis has removed to save memory.
        evicted: some of them were removed since the last note: any record may be missing.
    """

    id: str
    ticks: int
    complete_until: datetime
    same_server: bool
    server: str
    now: datetime
    look_again_since: datetime | None = None
    evictions: int = 0
    evicted: bool = False


@dataclass(frozen=True, slots=True)
class Lease:
    """A worker's time-limited right to work on a job.

    Attributes:
        token: number of the attempt; a Redis that has lost its newest writes gives it out twice.
        nonce: random identity of the attempt. Only the newest may renew, commit or fail.
    """

    job_id: str
    token: int
    nonce: str


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """The caller's key, and the digest (hex) of its first request."""

    key: str
    digest: str


@dataclass(frozen=True, slots=True)
class Dispatch:
    """What publishing a job needs. An outdated `mark_queued` is recognised by its `token`."""

    job_id: str
    queue: Queue
    limits: TimeLimits
    token: int = 0


def dispatch_of(job: Job) -> Dispatch:
    """Return what publishing this job needs."""
    return Dispatch(job.id, job.options.queue, job.limits, job.token)


@dataclass(frozen=True, slots=True)
class Created:
    """An accepted job.

    Attributes:
        replayed: the idempotency key had already made it.
        recorded: Redis has it; otherwise the keeper records it later.
        dispatches: jobs to publish now, in place of those that take_turns returns.
    """

    job: Job
    replayed: bool
    recorded: bool = True
    dispatches: tuple[Dispatch, ...] = ()


@dataclass(frozen=True, slots=True)
class JobQuery:
    """A page of one tenant's jobs, newest first.

    Attributes:
        id_prefix: the beginning of an id, which is the time of the submit: the more digits, the fewer ids are searched.
        cursor: `next_cursor` of the page before.
    """

    tenant: str
    state: JobState | None = None
    reference: str | None = None
    queue: Queue | None = None
    id_prefix: str | None = None
    limit: int = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class JobPage:
    jobs: tuple[Job, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class JobEvent:
    """A change of a job. `id` orders the events of a job, and resumes a stream.

    Attributes:
        estimate: when the job ends, as seen when the events were read; in the newest event only.
    """

    id: str
    state: JobState
    phase: Phase | None
    progress: float
    at: datetime
    estimate: Estimate | None = None


@dataclass(frozen=True, slots=True)
class LapsedLease:
    """A running job whose lease has not been renewed in time."""

    lease: Lease
    attempt_number: int
    worker: str


@dataclass(frozen=True, slots=True)
class RetryIn:
    """The job waits for its next attempt for some seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The job fails for good."""


def after_failure(attempt_number: int, error: ParleyError) -> RetryIn | GiveUp:
    """Return what follows a failed attempt.

    After a lost worker or a time limit the job is due at once, after other retryable errors later.
    A permanent error ends the job, and so does the last attempt (MAX_ATTEMPTS), whatever its error.
    """
    if isinstance(error, PermanentError) or attempt_number >= MAX_ATTEMPTS:
        return GiveUp()
    if isinstance(error, WorkerLost | AttemptTimedOut):
        return RetryIn(0.0)
    return RetryIn(RETRY_SECONDS[attempt_number - 1])
