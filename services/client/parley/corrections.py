"""Corrections of a result, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from parley.models import Document


@dataclass(frozen=True, slots=True)
class Correction:
    """A correction that a person has made to the result of a job.

    Attributes:
        version: version of the result that it made, 1 and up.
        author: who made it.
        created_at: when it was made.
        operations: what was done, as JSON objects with the member `operation`.
        counts: False if an `undo` took it back.
        document: all members as the server sent them.
    """

    version: int
    author: str
    created_at: datetime
    operations: tuple[Document, ...]
    counts: bool
    document: Document = field(repr=False, compare=False)

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(
            version=document["version"],
            author=document["author"],
            created_at=datetime.fromisoformat(document["created_at"]),
            operations=tuple(document["operations"]),
            counts=document["counts"],
            document=document,
        )
