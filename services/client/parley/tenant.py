"""What a tenant has beside its jobs, as frozen values: voiceprints, deliveries, API keys and usage."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Self

from parley.models import Document, optional_time


@dataclass(frozen=True, slots=True)
class Consent:
    """A person's consent to a voiceprint. Times have a time zone.

    Attributes:
        given_by: the person, or somebody who may speak for the person.
        purpose: what the voiceprint is used for.
        until: the voiceprint ends at this moment.
        given_at: when it was given.
    """

    given_by: str
    purpose: str
    until: datetime
    given_at: datetime

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(
            given_by=document["given_by"],
            purpose=document["purpose"],
            until=datetime.fromisoformat(document["until"]),
            given_at=datetime.fromisoformat(document["given_at"]),
        )

    def to_document(self) -> Document:
        """Return the members as the server takes them."""
        return {
            "given_by": self.given_by,
            "given_at": self.given_at.isoformat(),
            "purpose": self.purpose,
            "until": self.until.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Voiceprint:
    """The stored voice of a person. It names this person in your jobs until it is deleted or the consent ends.

    Attributes:
        id: UUID.
        name: name of the person.
        role: `clinician`, `patient` or None.
        enrolled_at: time of the enrolment.
        model: name of the model of the embedding. Only embeddings of the same model are compared.
        consent: None if it was enrolled without.
        document: all members as the server sent them; the embedding itself stays on the server.
    """

    id: str
    name: str
    role: str | None
    enrolled_at: datetime
    model: str
    consent: Consent | None
    document: Document = field(repr=False, compare=False)

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(
            id=document["id"],
            name=document["name"],
            role=document["role"],
            enrolled_at=datetime.fromisoformat(document["enrolled_at"]),
            model=document["model"],
            consent=Consent.from_document(document["consent"]) if document.get("consent") else None,
            document=document,
        )


@dataclass(frozen=True, slots=True)
class Delivery:
    """The delivery of one end of a job, or of the end of a batch, to the `callback_url` of its submit.

    Attributes:
        id: its `webhook-id`, the same for every attempt.
        job_id: UUID of the job; None for a batch.
        url: where it goes.
        state: `pending`, `delivered` or `failed` (given up).
        attempts: number of attempts so far.
        outcome: status of the last response, or a code such as `timeout`; None before the first attempt.
        ended_at: when the job ended.
        next_attempt_at: None unless it is pending.
        document: all members as the server sent them.
        batch_id: UUID of the batch; None for a job.
    """

    id: str
    job_id: str | None
    url: str
    state: str
    attempts: int
    outcome: str | None
    ended_at: datetime
    next_attempt_at: datetime | None
    document: Document = field(repr=False, compare=False)
    batch_id: str | None = None

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(
            id=document["id"],
            job_id=document["job_id"],
            url=document["url"],
            state=document["state"],
            attempts=document["attempts"],
            outcome=document["outcome"],
            ended_at=datetime.fromisoformat(document["ended_at"]),
            next_attempt_at=optional_time(document["next_attempt_at"]),
            document=document,
            batch_id=document.get("batch_id"),
        )


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key of your tenant.

    Attributes:
        id: a part of the key's text.
        name: what it is for.
        scopes: what it may do: `submit`, `read`, `correct`, `delete`, `voiceprints`, `export`, `share`, `admin`.
        expires_at: from then on it is refused; None is never.
        last_used_at: to ten minutes; None if it was not used.
        key: its text, right after it was made; else None.
        document: all members as the server sent them.
    """

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    key: str | None = field(repr=False)
    document: Document = field(repr=False, compare=False)

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(
            id=document["id"],
            name=document["name"],
            scopes=tuple(document["scopes"]),
            created_at=datetime.fromisoformat(document["created_at"]),
            expires_at=optional_time(document["expires_at"]),
            last_used_at=optional_time(document["last_used_at"]),
            key=document.get("key"),
            document=document,
        )


@dataclass(frozen=True, slots=True)
class Share:
    """A link that opens the timeline of one job without an API key.

    Attributes:
        id: to revoke it.
        audio: whether it plays the recording.
        expires_at: from then on it opens nothing.
        link: path of the page and, behind `#`, the secret, right after it was made; else None.
        document: all members as the server sent them.
    """

    id: str
    audio: bool
    created_at: datetime
    expires_at: datetime
    link: str | None = field(repr=False)
    document: Document = field(repr=False, compare=False)

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(
            id=document["id"],
            audio=document["audio"],
            created_at=datetime.fromisoformat(document["created_at"]),
            expires_at=datetime.fromisoformat(document["expires_at"]),
            link=document.get("link"),
            document=document,
        )


@dataclass(frozen=True, slots=True)
class UsageOfDay:
    """What jobs of a queue have used that ended on a UTC day, or a sum of these.

    Attributes:
        day: None in a sum, as is `queue`.
        succeeded: number of jobs that succeeded, as are `failed` and `cancelled` for the other ends.
        attempts: number of attempts of these jobs.
        audio_seconds: length of the recordings of the jobs that succeeded.
        engine_seconds: time of the engine in the attempts that succeeded; `engine_cpu_seconds` is its processor time.
        transcribed_seconds: length of the audio that the recogniser transcribed for them.
        wait_seconds: time from the submits to the first starts, in all.
    """

    day: date | None
    queue: str | None
    succeeded: int
    failed: int
    cancelled: int
    attempts: int
    audio_seconds: float
    engine_seconds: float
    engine_cpu_seconds: float
    transcribed_seconds: float
    wait_seconds: float

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(
            day=date.fromisoformat(document["day"]) if "day" in document else None,
            queue=document.get("queue"),
            succeeded=document["succeeded"],
            failed=document["failed"],
            cancelled=document["cancelled"],
            attempts=document["attempts"],
            audio_seconds=document["audio_seconds"],
            engine_seconds=document["engine_seconds"],
            engine_cpu_seconds=document["engine_cpu_seconds"],
            transcribed_seconds=document.get("transcribed_seconds", 0.0),
            wait_seconds=document["wait_seconds"],
        )


@dataclass(frozen=True, slots=True)
class Usage:
    """What your tenant has used in a period.

    Attributes:
        first: first UTC day.
        last: last UTC day.
        total: the sum.
        days: each day and queue in which a job ended, in order.
        document: all members as the server sent them.
    """

    first: date
    last: date
    total: UsageOfDay
    days: tuple[UsageOfDay, ...]
    document: Document = field(repr=False, compare=False)

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(
            first=date.fromisoformat(document["first"]),
            last=date.fromisoformat(document["last"]),
            total=UsageOfDay.from_document(document["total"]),
            days=tuple(UsageOfDay.from_document(day) for day in document["days"]),
            document=document,
        )
