"""A job and what belongs to it, in reading order."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Self

from pydantic import Field

from parley_api.schemas import examples
from parley_api.schemas.base import Answer, Moment, Seconds, with_example
from parley_api.schemas.paths import path_of
from parley_api.schemas.usage import RunUsageAnswer
from parley_core.job import Job, JobEvent, JobPage, JobState, Phase, Queue
from parley_core.transcript import Transcription, TranscriptionRequest
from parley_core.voiceprints import Role


class RecordingAnswer(Answer):
    """The recording as it was sent."""

    sha256: str = Field(description="SHA-256 of its bytes, in hex.")
    bytes: int = Field(description="Its length in bytes.")
    seconds: Seconds = Field(description="Its length in seconds, measured from the audio packets.")
    media_type: str = Field(description="Its media type, found from its content.")
    file_name: str | None = Field(description="The file name that was sent with it; null without one.")
    kept: bool = Field(description="Whether it is stored still. It may go before the result.")

    @classmethod
    def of(cls, job: Job, kept: bool) -> Self:
        """Return the response for the recording of a job."""
        values = {name: getattr(job.recording, name) for name in cls.model_fields if name != "kept"}
        return cls(**values, kept=kept)


class SpeakersAnswer(Answer):
    """The number of speakers that the caller gave; null where the engine decides."""

    min: int | None = Field(description="Smallest number of speakers.")
    max: int | None = Field(description="Largest number of speakers.")


class ErrorAnswer(Answer):
    """Why an attempt or a job failed."""

    code: str = Field(description="Stable name of the error, for programs.")
    detail: str = Field(description="The error in a sentence, for people.")


class AttemptAnswer(Answer):
    """One attempt at the job by one worker."""

    number: int = Field(description="1 for the first attempt; a retry by a caller begins at 1 again.")
    worker: str = Field(description="Name of the worker.")
    started_at: Moment = Field(description="When the attempt began.")
    ended_at: Moment | None = Field(description="When it ended; null while it runs.")
    error: ErrorAnswer | None = Field(description="Why it failed; null while it runs and after success.")


class TranscriptionState(StrEnum):
    """Whether the words are there."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class TranscriptionAnswer(Answer):
    """What became of the words that the server's recogniser was asked for."""

    state: TranscriptionState = Field(
        description="`waiting` and `running`: the words are asked for after the end of the job. `succeeded`: they are "
        "there. `failed`: `error` says why not."
    )
    progress: float = Field(description="Share of the work that is done, 0 to 1.")
    words: int = Field(description="Number of words that the recogniser found.")
    audio_seconds: Seconds = Field(description="Length of the audio that it transcribed.")
    error: ErrorAnswer | None = Field(description="Why there are no words; null if the recogniser succeeded.")

    @classmethod
    def of(cls, found: Transcription | None, request: TranscriptionRequest | None) -> Self | None:
        """Return the response for a transcription, or for an open request; None without both."""
        if request is not None:
            state = TranscriptionState.RUNNING if request.worker else TranscriptionState.WAITING
            return cls(state=state, progress=request.progress, words=0, audio_seconds=0.0, error=None)
        if found is None:
            return None
        words, audio, error = found.words, found.audio_seconds, None
        if found.error_code is not None:
            error = ErrorAnswer(code=found.error_code, detail=found.error_detail or "")
        state, progress = (TranscriptionState.FAILED, 0.0) if error else (TranscriptionState.SUCCEEDED, 1.0)
        return cls(state=state, progress=progress, words=words, audio_seconds=audio, error=error)


class ResultAnswer(Answer):
    """The result in numbers. The turns are at `links.turns`."""

    speakers: int = Field(description="Number of speakers.")
    turns: int = Field(description="Number of turns.")
    seconds_of_speech: Seconds = Field(description="Seconds in which at least one speaker talks.")
    engine: dict[str, Any] = Field(description="Name, version, model files, parameters and kernels of the engine.")
    timings: dict[str, Seconds] = Field(description="Seconds per phase, and `engine` for the whole engine.")
    turns_to_review: int | None = Field(description="Number of turns to review; null if the engine cannot tell.")
    seconds_to_review: Seconds | None = Field(description="Length of these turns in all.")
    plausible_speakers: tuple[int, int] | None = Field(
        description="Lowest and highest plausible number of speakers; null if the engine cannot tell."
    )
    speakers_to_review: int | None = Field(
        description="Number of speakers who may be several people; null if the engine cannot tell."
    )
    transcription: TranscriptionAnswer | None = Field(
        description="What became of the words; null unless somebody has asked for them."
    )
    usage: RunUsageAnswer = Field(description="What the job has used.")

    @classmethod
    def of(cls, job: Job) -> Self | None:
        """Return the response for the result of a job, None without one."""
        if job.result is None:
            return None
        own = ("transcription", "usage")
        values = {name: getattr(job.result, name) for name in cls.model_fields if name not in own}
        transcription = TranscriptionAnswer.of(job.result.transcription, job.words_request)
        return cls(**values, transcription=transcription, usage=RunUsageAnswer.of(job))


class LinksAnswer(Answer):
    """Paths of what belongs to the job and exists now."""

    self: str = Field(description="The job.")
    events: str = Field(description="Its events.")
    turns: str | None = Field(None, exclude_if=lambda path: path is None, description="Its turns, after success.")
    timeline: str = Field(description="The page that shows it.")
    audio: str | None = Field(
        None, exclude_if=lambda path: path is None, description="The recording, while it is kept."
    )
    peaks: str | None = Field(
        None, exclude_if=lambda path: path is None, description="The peaks of its waveform, after success."
    )


class EstimateAnswer(Answer):
    """When a job ends, in seconds from now, learned from the jobs of its queue that have ended."""

    seconds: Seconds = Field(description="The middle of what is expected.")
    low: Seconds = Field(description="80 % of all jobs end between `low` and `high`.")
    high: Seconds = Field(description="80 % of all jobs end between `low` and `high`.")


@with_example(examples.JOB)
class JobAnswer(Answer):
    """A job. Times are RFC 3339 in UTC, durations are seconds."""

    id: str = Field(description="A UUID of version 7.")
    state: JobState = Field(
        description="`accepted`: stored, not yet in a queue. `queued`: waits for a worker or its next attempt. "
        "`running`: a worker computes. `succeeded`, `failed` and `cancelled` are final."
    )
    queue: Queue = Field(description="The queue it was submitted to.")
    reference: str | None = Field(description="The caller's name for the conversation.")
    created_at: Moment = Field(description="When it was accepted.")
    started_at: Moment | None = Field(description="When its first attempt began.")
    finished_at: Moment | None = Field(description="When it reached a final state.")
    recording: RecordingAnswer = Field(description="The recording.")
    speakers: SpeakersAnswer = Field(description="The number of speakers that the caller gave.")
    speaker_embeddings: bool = Field(description="Whether the result keeps speaker embeddings.")
    transcribe: bool = Field(description="Whether the server's recogniser writes down the words.")
    channels: list[Role] = Field(description="Role of the speaker of each channel; empty if the caller gave none.")
    position: int | None = Field(
        description="Number of jobs before it in its queue, while it waits; an estimate, since tenants take turns."
    )
    eta_seconds: Seconds | None = Field(description="Estimated seconds until its end; null if unknown.")
    eta: EstimateAnswer | None = Field(
        description="The same with an interval; null if it has ended, if no worker serves its queue, or before five "
        "jobs of the queue have ended."
    )
    phase: Phase | None = Field(description="What the running attempt does.")
    progress: float = Field(
        description="Progress of the running attempt, 0 to 1, over all its phases. It only grows; the next attempt "
        "begins at 0."
    )
    attempts: list[AttemptAnswer] = Field(description="The attempts so far.")
    error: ErrorAnswer | None = Field(description="Why it failed; null in every other state.")
    result: ResultAnswer | None = Field(description="The result in numbers, after success.")
    links: LinksAnswer = Field(description="Paths of what belongs to it.")

    @classmethod
    def of(cls, job: Job) -> Self:
        """Return the response for a job."""
        path = path_of(f"/v1/jobs/{job.id}")
        always = {"self": path} | {name: f"{path}/{name}" for name in ("events", "timeline")}
        recording = {} if job.recording_removed else {"audio": f"{path}/audio"}
        after_success = {name: f"{path}/{name}" for name in ("turns", "peaks")}
        return cls.model_validate(
            {
                "id": job.id,
                "state": job.state,
                "queue": job.options.queue,
                "reference": job.options.reference,
                "created_at": job.created_at,
                "started_at": job.started_at,
                "finished_at": job.finished_at,
                "recording": RecordingAnswer.of(job, not job.recording_removed),
                "speakers": job.options.speakers,
                "speaker_embeddings": job.options.speaker_embeddings,
                "transcribe": job.options.transcribe,
                "channels": job.options.channels,
                "position": job.position,
                "eta_seconds": job.estimate and job.estimate.seconds,
                "eta": job.estimate,
                "phase": job.phase,
                "progress": job.progress,
                "attempts": job.attempts,
                "error": job.error,
                "result": ResultAnswer.of(job),
                "links": always | recording | (after_success if job.state is JobState.SUCCEEDED else {}),
            }
        )


@with_example(examples.JOB_PAGE)
class JobPageAnswer(Answer):
    """A page of jobs."""

    jobs: list[JobAnswer] = Field(description="The jobs, newest first.")
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last page.")

    @classmethod
    def of(cls, page: JobPage) -> Self:
        """Return the response for a page."""
        return cls(jobs=[JobAnswer.of(job) for job in page.jobs], next_cursor=page.next_cursor)


@with_example(examples.EVENT)
class EventAnswer(Answer):
    """One change of a job: the data of a server-sent event."""

    state: JobState = Field(description="The job's state.")
    phase: Phase | None = Field(description="What the running attempt does.")
    progress: float = Field(description="Progress of the running attempt, 0 to 1.")
    eta: EstimateAnswer | None = Field(description="When the job ends; in the newest event only, else null.")
    at: Moment = Field(description="When the job changed.")

    @classmethod
    def of(cls, event: JobEvent) -> Self:
        """Return the data for an event."""
        return cls.model_validate(
            {
                "state": event.state,
                "phase": event.phase,
                "progress": event.progress,
                "eta": event.estimate,
                "at": event.at,
            }
        )


@with_example(examples.RECEIPT)
class ReceiptAnswer(Answer):
    """A receipt for a deleted job."""

    job_id: str = Field(description="Id of the job.")
    deleted_at: Moment = Field(description="When it was deleted.")
    recording: RecordingAnswer = Field(description="The recording that is gone.")
    removed: list[str] = Field(description="What is gone: `recording`, `result`, `transcript`, `record`.")
