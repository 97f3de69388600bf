"""What a tenant has beside its jobs, as frozen values: voiceprints, deliveries and API keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from parley.models import Document, optional_time


@dataclass(frozen=True, slots=True)
class Voiceprint:
    """The stored voice of a person. It names this person in your jobs until it is deleted.

    Attributes:
        id: UUID.
        name: name of the person.
        role: `clinician`, `patient` or None.
        enrolled_at: time of the enrolment.
        model: name of the model of the embedding. Only embeddings of the same model are compared.
        document: all members as the server sent them; the embedding itself stays on the server.
    """

    id: str
    name: str
    role: str | None
    enrolled_at: datetime
    model: str
    document: Document = field(repr=False, compare=False)

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(
            id=document["id"],
            name=document["name"],
            role=document["role"],
            enrolled_at=datetime.fromisoformat(document["enrolled_at"]),
            model=document["model"],
            document=document,
        )


@dataclass(frozen=True, slots=True)
class Delivery:
    """The delivery of one end of a job to the `callback_url` of its submit.

    Attributes:
        id: its `webhook-id`, the same for every attempt.
        job_id: UUID of the job.
        url: where it goes.
        state: `pending`, `delivered` or `failed` (given up).
        attempts: number of attempts so far.
        outcome: status of the last response, or a code such as `timeout`; None before the first attempt.
        ended_at: when the job ended.
        next_attempt_at: None unless it is pending.
        document: all members as the server sent them.
    """

    id: str
    job_id: str
    url: str
    state: str
    attempts: int
    outcome: str | None
    ended_at: datetime
    next_attempt_at: datetime | None
    document: Document = field(repr=False, compare=False)

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
        )


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key of your tenant.

    Attributes:
        id: a part of the key's text.
        name: what it is for.
        scopes: what it may do: `submit`, `read`, `correct`, `delete`, `voiceprints`, `admin`.
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
