"""What the server says, as frozen values. Fields that a newer server adds are kept in `document` and ignored here."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from parley._answers import Document
from parley.voiceprints import SpeakerIdentity

UNFINISHED_STATES = ("accepted", "queued", "running")
TERMINAL_STATES = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Recording:
    """Stored audio. `seconds` is its length."""

    sha256: str
    bytes: int
    seconds: float
    media_type: str

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(document["sha256"], document["bytes"], document["seconds"], document["media_type"])


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt or a job ended badly: a stable code and a sentence."""

    code: str
    detail: str

    @classmethod
    def from_document(cls, document: Document | None) -> Self | None:
        return None if document is None else cls(document["code"], document["detail"])


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of one job by one worker."""

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
            ended_at=_time(document.get("ended_at")),
            error=Failure.from_document(document.get("error")),
        )


@dataclass(frozen=True, slots=True)
class ResultSummary:
    """How many speakers and turns; in how many seconds at least one speaker talks.

    `turns_to_review` and how long they are together; None where the engine does not know how sure it is.
    """

    speakers: int
    turns: int
    seconds_of_speech: float
    turns_to_review: int | None = None
    seconds_to_review: float | None = None

    @classmethod
    def from_document(cls, document: Document | None) -> Self | None:
        if document is None:
            return None
        return cls(
            document["speakers"],
            document["turns"],
            document["seconds_of_speech"],
            document.get("turns_to_review"),
            document.get("seconds_to_review"),
        )


@dataclass(frozen=True, slots=True)
class Job:
    """The record of one request to diarize one recording.

    Attributes:
        state: accepted, queued, running, succeeded, failed or cancelled.
        phase: what a running job is doing: decoding, segmentation, embedding, clustering or storing.
        progress: 0 to 1.
        position: number of jobs before this one in its queue, while it waits.
        document: all of the above and more, as the server sent it.
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
    phase: str | None
    progress: float
    attempts: tuple[Attempt, ...]
    error: Failure | None
    result: ResultSummary | None
    document: Document = field(repr=False, compare=False)

    @property
    def terminal(self) -> bool:
        """True when nothing will change any more, unless somebody retries the job."""
        return self.state in TERMINAL_STATES

    @property
    def succeeded(self) -> bool:
        return self.state == "succeeded"

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(
            id=document["id"],
            state=document["state"],
            queue=document["queue"],
            reference=document.get("reference"),
            created_at=datetime.fromisoformat(document["created_at"]),
            started_at=_time(document.get("started_at")),
            finished_at=_time(document.get("finished_at")),
            recording=Recording.from_document(document["recording"]),
            position=document.get("position"),
            eta_seconds=document.get("eta_seconds"),
            phase=document.get("phase"),
            progress=document.get("progress") or 0.0,
            attempts=tuple(Attempt.from_document(attempt) for attempt in document.get("attempts", ())),
            error=Failure.from_document(document.get("error")),
            result=ResultSummary.from_document(document.get("result")),
            document=document,
        )


@dataclass(frozen=True, slots=True)
class Turn:
    """One speaker talking without a break: seconds from the beginning of the recording, and a label of this job.

    Attributes:
        confidence: 0 to 1, how likely a moment of it is given to the right person; None where the engine cannot tell.
        needs_review: the engine is so unsure that a person should look; None where it cannot tell.
    """

    start: float
    end: float
    speaker: str
    confidence: float | None = None
    needs_review: bool | None = None

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(
            document["start"],
            document["end"],
            document["speaker"],
            document.get("confidence"),
            document.get("needs_review"),
        )


@dataclass(frozen=True, slots=True)
class Turns:
    """Who spoke when.

    Attributes:
        turns: by start time; different speakers may overlap.
        exclusive_turns: at every moment at most one speaker, for joining with a transcript.
        speakers: labels in order of first appearance.
        people: who they are, where the job kept voices or knows its channels; else empty.
        seconds: length of the recording.
        document: all of it, with overlaps and engine, as the server sent it.
    """

    job_id: str
    turns: tuple[Turn, ...]
    exclusive_turns: tuple[Turn, ...]
    speakers: tuple[str, ...]
    identities: tuple[SpeakerIdentity, ...]
    seconds: float
    document: Document = field(repr=False, compare=False)

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(
            job_id=document["job_id"],
            turns=tuple(Turn.from_document(turn) for turn in document["turns"]),
            exclusive_turns=tuple(Turn.from_document(turn) for turn in document["exclusive_turns"]),
            speakers=tuple(document["speakers"]),
            identities=tuple(SpeakerIdentity.from_document(person) for person in document.get("identities", ())),
            seconds=document["recording"]["seconds"],
            document=document,
        )


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """One queue now.

    Attributes:
        unfinished: jobs accepted and not yet ended; `waiting` and `running` are its parts.
        oldest_seconds: age of the oldest unfinished job, None when there is none.
        workers: that serve it, None when the server does not know.
        document: all of it, as the server sent it.
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


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
