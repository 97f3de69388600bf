"""The server's JSON as frozen values.

Each value keeps the members that are described here; `document` holds all members as the server sent them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

Document = Mapping[str, Any]
"""A JSON object as the server sent it."""

UNFINISHED_STATES = ("accepted", "queued", "running")
TERMINAL_STATES = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Recording:
    """Stored audio.

    Attributes:
        sha256: hash of the bytes.
        bytes: size.
        seconds: length.
        media_type: such as `audio/flac`.
        file_name: name of the submitted file; None if it was submitted without a name.
        kept: whether the server has it still; it may go before the result.
    """

    sha256: str
    bytes: int
    seconds: float
    media_type: str
    file_name: str | None = None
    kept: bool = True

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(
            sha256=document["sha256"],
            bytes=document["bytes"],
            seconds=document["seconds"],
            media_type=document["media_type"],
            file_name=document.get("file_name"),
            kept=document.get("kept", True),
        )


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt or a job failed.

    Attributes:
        code: stable name, for programs.
        detail: a sentence, for people.
    """

    code: str
    detail: str

    @classmethod
    def from_document(cls, document: Document | None) -> Self | None:
        return None if document is None else cls(document["code"], document["detail"])


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of one job by one worker.

    Attributes:
        number: 1 for the first attempt.
        worker: name of the worker.
        started_at: start time.
        ended_at: end time; None while the attempt runs.
        error: why it failed; None if it did not.
    """

    number: int
    worker: str
    started_at: datetime
    ended_at: datetime | None
    error: Failure | None

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(
            number=document["number"],
            worker=document["worker"],
            started_at=datetime.fromisoformat(document["started_at"]),
            ended_at=optional_time(document.get("ended_at")),
            error=Failure.from_document(document.get("error")),
        )


@dataclass(frozen=True, slots=True)
class Transcription:
    """What became of the words that the server's recogniser was asked for.

    Attributes:
        words: number of words that the recogniser found.
        error: why there are no words; None if the recogniser succeeded, or has not ended.
        state: `waiting` and `running` after `Parley.transcribe`, until it is `succeeded` or `failed`.
        progress: share of the work that is done, 0 to 1.
    """

    words: int
    error: Failure | None = None
    state: str = "succeeded"
    progress: float = 1.0

    @classmethod
    def from_document(cls, document: Document | None) -> Self | None:
        if document is None:
            return None
        error = Failure.from_document(document.get("error"))
        state = document.get("state", "failed" if error else "succeeded")
        return cls(document["words"], error, state, document.get("progress", 1.0))

    @property
    def ended(self) -> bool:
        """Whether the recogniser has succeeded or failed."""
        return self.state in ("succeeded", "failed")


@dataclass(frozen=True, slots=True)
class ResultSummary:
    """The result in numbers; `Parley.turns` returns the result itself.

    Attributes:
        speakers: number of speakers.
        turns: number of turns.
        seconds_of_speech: seconds in which at least one person speaks.
        turns_to_review: number of turns that need review; None if the engine states no confidence.
        seconds_to_review: total length of these turns; None if the engine states no confidence.
        plausible_speakers: lowest and highest plausible number of speakers; None if the engine cannot tell.
        speakers_to_review: number of speakers who may be several people; None if the engine cannot tell.
        transcription: what became of the words; None unless somebody has asked for them.
    """

    speakers: int
    turns: int
    seconds_of_speech: float
    turns_to_review: int | None = None
    seconds_to_review: float | None = None
    plausible_speakers: tuple[int, int] | None = None
    speakers_to_review: int | None = None
    transcription: Transcription | None = None

    @classmethod
    def from_document(cls, document: Document | None) -> Self | None:
        if document is None:
            return None
        plausible = document.get("plausible_speakers")
        return cls(
            speakers=document["speakers"],
            turns=document["turns"],
            seconds_of_speech=document["seconds_of_speech"],
            turns_to_review=document.get("turns_to_review"),
            seconds_to_review=document.get("seconds_to_review"),
            plausible_speakers=(plausible[0], plausible[1]) if plausible else None,
            speakers_to_review=document.get("speakers_to_review"),
            transcription=Transcription.from_document(document.get("transcription")),
        )


@dataclass(frozen=True, slots=True)
class Eta:
    """When a job ends, in seconds from the moment of the answer.

    Attributes:
        seconds: the middle of what is expected.
        low: 80 % of all jobs end between `low` and `high`.
        high: see `low`.
    """

    seconds: float
    low: float
    high: float

    @classmethod
    def from_document(cls, document: Document | None) -> Self | None:
        return None if document is None else cls(document["seconds"], document["low"], document["high"])


@dataclass(frozen=True, slots=True)
class Job:
    """A request to diarize one recording.

    Attributes:
        id: UUID.
        state: `accepted`, `queued`, `running`, `succeeded`, `failed` or `cancelled`.
        queue: `interactive` or `batch`.
        reference: the caller's own name for the conversation.
        created_at: time of the submit.
        started_at: start of the first attempt.
        finished_at: end of the job.
        recording: the submitted audio.
        position: number of jobs before this one in its queue, while it waits.
        eta_seconds: estimated seconds until the job ends; None if unknown.
        eta: the same with an interval; None if unknown.
        phase: step of a running job: `decoding`, `segmentation`, `embedding`, `clustering`,
            `transcription` or `storing`.
        progress: 0 to 1.
        attempts: attempts so far, oldest first.
        error: why the job failed.
        result: the result in numbers, once the job has succeeded.
        document: the whole job as the server sent it.
    """

    id: str
    state: str
    queue: str
    reference: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    recording: Recording
    position: int | None
    eta_seconds: float | None
    eta: Eta | None
    phase: str | None
    progress: float
    attempts: tuple[Attempt, ...]
    error: Failure | None
    result: ResultSummary | None
    document: Document = field(repr=False, compare=False)

    @property
    def terminal(self) -> bool:
        """True if the job has ended. Only a retry changes its state again."""
        return self.state in TERMINAL_STATES

    @property
    def succeeded(self) -> bool:
        """True if the job has turns."""
        return self.state == "succeeded"

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(
            id=document["id"],
            state=document["state"],
            queue=document["queue"],
            reference=document.get("reference"),
            created_at=datetime.fromisoformat(document["created_at"]),
            started_at=optional_time(document.get("started_at")),
            finished_at=optional_time(document.get("finished_at")),
            recording=Recording.from_document(document["recording"]),
            position=document.get("position"),
            eta_seconds=document.get("eta_seconds"),
            eta=Eta.from_document(document.get("eta")),
            phase=document.get("phase"),
            progress=document.get("progress") or 0.0,
            attempts=tuple(Attempt.from_document(attempt) for attempt in document.get("attempts", ())),
            error=Failure.from_document(document.get("error")),
            result=ResultSummary.from_document(document.get("result")),
            document=document,
        )


@dataclass(frozen=True, slots=True)
class JobPage:
    """One page of a list of jobs; `next_cursor` names the next page, None on the last one."""

    jobs: tuple[Job, ...]
    next_cursor: str | None

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(tuple(Job.from_document(job) for job in document["jobs"]), document.get("next_cursor"))


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """The load of one queue.

    Attributes:
        queue: name.
        unfinished: number of jobs that have not ended: `waiting` plus `running`.
        waiting: number of jobs without a worker.
        running: number of jobs with a worker.
        oldest_seconds: age of the oldest unfinished job; None if there is none.
        workers: number of workers that serve the queue; None if the server does not know.
        document: all members as the server sent them.
    """

    queue: str
    unfinished: int
    waiting: int
    running: int
    oldest_seconds: float | None
    workers: int | None
    document: Document = field(repr=False, compare=False)

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(
            queue=document["queue"],
            unfinished=document["unfinished"],
            waiting=document.get("waiting", document["unfinished"] - document["running"]),
            running=document["running"],
            oldest_seconds=document.get("oldest_seconds"),
            workers=document.get("workers"),
            document=document,
        )


def optional_time(text: str | None) -> datetime | None:
    """Return an RFC 3339 time, None for None."""
    return None if text is None else datetime.fromisoformat(text)
