"""A job and what belongs to it, field by field."""

from __future__ import annotations

from typing import Any, Self

from pydantic import ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from parley_api.schemas.base import Answer, Moment
from parley_core.job import (
    Attempt,
    Failure,
    Job,
    JobEvent,
    JobPage,
    JobState,
    Phase,
    Queue,
    ResultSummary,
    SpeakerBounds,
)
from parley_core.recording import Recording
from parley_core.voiceprints import Role


class RecordingAnswer(Answer):
    sha256: str
    bytes: int
    seconds: float
    media_type: str

    @classmethod
    def of(cls, recording: Recording) -> Self:
        return cls.model_validate(recording)


class SpeakersAnswer(Answer):
    """How many speakers the caller says there are; null leaves it to the engine."""

    min: int | None
    max: int | None

    @classmethod
    def of(cls, speakers: SpeakerBounds) -> Self:
        return cls.model_validate(speakers)


class ErrorAnswer(Answer):
    code: str
    detail: str

    @classmethod
    def of(cls, failure: Failure | None) -> Self | None:
        return None if failure is None else cls.model_validate(failure)


class AttemptAnswer(Answer):
    """One try of the job by one worker."""

    number: int
    worker: str
    started_at: Moment
    ended_at: Moment | None
    error: ErrorAnswer | None

    @classmethod
    def of(cls, attempt: Attempt) -> Self:
        return cls.model_validate(attempt)


class ResultAnswer(Answer):
    """What came out, in numbers; the turns are at `links.turns`."""

    speakers: int
    turns: int
    seconds_of_speech: float
    engine: dict[str, Any]
    timings: dict[str, float] = Field(description="Seconds per phase, and `engine` for the engine as a whole.")
    turns_to_review: int | None = Field(description="Turns that need review; null where the engine cannot tell.")
    seconds_to_review: float | None = Field(description="How long these are together.")

    @classmethod
    def of(cls, result: ResultSummary | None) -> Self | None:
        return None if result is None else cls.model_validate(result)


class LinksAnswer(Answer):
    """Only what is there now."""

    self: str
    events: str
    turns: str | None = None
    audio: str | None = None

    @model_serializer(mode="wrap")
    def _without_absent(self, serialize: SerializerFunctionWrapHandler) -> dict[str, str]:
        return {name: link for name, link in serialize(self).items() if link is not None}

    @classmethod
    def of(cls, job: Job) -> LinksAnswer:
        here = f"/v1/jobs/{job.id}"
        succeeded = job.state is JobState.SUCCEEDED
        return LinksAnswer(
            self=here, events=f"{here}/events", audio=f"{here}/audio", turns=f"{here}/turns" if succeeded else None
        )


class JobAnswer(Answer):
    """A job. Times are RFC 3339 in UTC, durations seconds."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "0198c0de-7a3b-7c11-9d2e-3f6f5a1b2c3d",
                "state": "succeeded",
                "queue": "interactive",
                "reference": "consult-4711",
                "created_at": "2026-11-25T05:00:00.000Z",
                "started_at": "2026-11-25T05:00:00.041Z",
                "finished_at": "2026-11-25T05:00:04.310Z",
                "recording": {"sha256": "9f2c…", "bytes": 2552408, "seconds": 61.2, "media_type": "audio/flac"},
                "speakers": {"min": 2, "max": 2},
                "speaker_embeddings": False,
                "channels": [],
                "position": None,
                "eta_seconds": None,
                "phase": None,
                "progress": 1.0,
                "attempts": [
                    {
                        "number": 1,
                        "worker": "worker-0/3f9a1c/41",
                        "started_at": "2026-11-25T05:00:00.041Z",
                        "ended_at": "2026-11-25T05:00:04.310Z",
                        "error": None,
                    }
                ],
                "error": None,
                "result": {
                    "speakers": 2,
                    "turns": 31,
                    "seconds_of_speech": 55.8,
                    "engine": {"name": "onnx", "version": "1", "weights": {}, "parameters": {}},
                    "timings": {"engine": 4.0},
                    "turns_to_review": 3,
                    "seconds_to_review": 2.7,
                },
                "links": {
                    "self": "/v1/jobs/0198c0de-7a3b-7c11-9d2e-3f6f5a1b2c3d",
                    "events": "/v1/jobs/0198c0de-7a3b-7c11-9d2e-3f6f5a1b2c3d/events",
                    "turns": "/v1/jobs/0198c0de-7a3b-7c11-9d2e-3f6f5a1b2c3d/turns",
                    "audio": "/v1/jobs/0198c0de-7a3b-7c11-9d2e-3f6f5a1b2c3d/audio",
                },
            }
        }
    )

    id: str
    state: JobState
    queue: Queue
    reference: str | None
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None
    recording: RecordingAnswer
    speakers: SpeakersAnswer
    speaker_embeddings: bool = Field(description="The result keeps the speakers' voices.")
    channels: list[Role] = Field(description="Whose microphone each channel is; empty where nobody said.")
    position: int | None = Field(description="Jobs before this one in its queue, while it waits.")
    eta_seconds: float | None = Field(description="Seconds until its end; null when unknown.")
    phase: Phase | None
    progress: float = Field(description="0 to 1, of the running attempt.")
    attempts: list[AttemptAnswer]
    error: ErrorAnswer | None
    result: ResultAnswer | None
    links: LinksAnswer

    @classmethod
    def of(cls, job: Job) -> Self:
        """Return the answer for a job."""
        return cls(
            id=job.id,
            state=job.state,
            queue=job.options.queue,
            reference=job.options.reference,
            created_at=job.created_at,
            started_at=job.started_at,
            finished_at=job.finished_at,
            recording=RecordingAnswer.of(job.recording),
            speakers=SpeakersAnswer.of(job.options.speakers),
            speaker_embeddings=job.options.speaker_embeddings,
            channels=list(job.options.channels),
            position=job.position,
            eta_seconds=None,
            phase=job.phase,
            progress=job.progress,
            attempts=[AttemptAnswer.of(attempt) for attempt in job.attempts],
            error=ErrorAnswer.of(job.error),
            result=ResultAnswer.of(job.result),
            links=LinksAnswer.of(job),
        )


class JobPageAnswer(Answer):
    """A page of jobs, newest first; `next_cursor` is null on the last one."""

    jobs: list[JobAnswer]
    next_cursor: str | None

    @classmethod
    def of(cls, page: JobPage) -> Self:
        return cls(jobs=[JobAnswer.of(job) for job in page.jobs], next_cursor=page.next_cursor)


class EventAnswer(Answer):
    """One change of a job, the data of a server-sent event."""

    state: JobState
    phase: Phase | None
    progress: float
    at: Moment

    @classmethod
    def of(cls, event: JobEvent) -> Self:
        return cls(state=event.state, phase=event.phase, progress=event.progress, at=event.at)


class ReceiptAnswer(Answer):
    """What a deletion removed, and when."""

    job_id: str
    deleted_at: Moment
    recording: RecordingAnswer
    removed: list[str] = Field(description="Names of what is gone: `recording`, `result`, `record`.")
