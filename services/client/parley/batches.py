"""Batches as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from parley.models import Document, Failure


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One recording of a batch.

    Attributes:
        index: its place in the request, from 0.
        reference: as it was sent; None without one, and once the job is purged.
        job_id: None if it was refused.
        state: of the job; `purged` once the job is gone, `refused` without a job.
        problem: why it was refused; None if it has a job.
    """

    index: int
    reference: str | None
    job_id: str | None
    state: str
    problem: Failure | None

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(
            index=document["index"],
            reference=document["reference"],
            job_id=document["job"],
            state=document["state"],
            problem=Failure.from_document(document["problem"]),
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """Recordings that were submitted by one request.

    Attributes:
        id: UUID.
        created_at: when it was first sent.
        reference: your own name for it.
        done: whether all of its jobs have ended.
        counts: number of items by state.
        items: in the order of the request.
        document: all members as the server sent them.
    """

    id: str
    created_at: datetime
    reference: str | None
    done: bool
    counts: Mapping[str, int]
    items: tuple[BatchItem, ...]
    document: Document = field(repr=False, compare=False)

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(
            id=document["id"],
            created_at=datetime.fromisoformat(document["created_at"]),
            reference=document["reference"],
            done=document["done"],
            counts=document["counts"],
            items=tuple(BatchItem.from_document(item) for item in document["items"]),
            document=document,
        )


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """A batch in a list.

    Attributes:
        id: UUID.
        created_at: when it was first sent.
        reference: your own name for it.
        jobs: number of its jobs.
        refused: number of recordings that were refused.
        document: all members as the server sent them.
    """

    id: str
    created_at: datetime
    reference: str | None
    jobs: int
    refused: int
    document: Document = field(repr=False, compare=False)

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(
            id=document["id"],
            created_at=datetime.fromisoformat(document["created_at"]),
            reference=document["reference"],
            jobs=document["jobs"],
            refused=document["refused"],
            document=document,
        )
