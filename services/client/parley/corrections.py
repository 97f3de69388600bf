"""Corrections of a result, and questions about it, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from parley.models import Document


@dataclass(frozen=True, slots=True)
class Redecided:
    """A turn that was decided again by voice.

    Attributes:
        turn: id of the turn.
        speaker: label of its new speaker.
        confidence: probability, 0 to 1, that the label is correct.
    """

    turn: str
    speaker: str
    confidence: float

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(document["turn"], document["speaker"], document["confidence"])


@dataclass(frozen=True, slots=True)
class Correction:
    """A correction that a person has made to the result of a job.

    Attributes:
        version: version of the result that it made, 1 and up.
        author: who made it.
        created_at: when it was made.
        operations: what was done, as JSON objects with the member `operation`.
        redecided: turns that were decided again by voice; empty unless `redecide` asked for it.
        counts: False if an `undo` took it back.
        document: all members as the server sent them.
    """

    version: int
    author: str
    created_at: datetime
    operations: tuple[Document, ...]
    redecided: tuple[Redecided, ...]
    counts: bool
    document: Document = field(repr=False, compare=False)

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(
            version=document["version"],
            author=document["author"],
            created_at=datetime.fromisoformat(document["created_at"]),
            operations=tuple(document["operations"]),
            redecided=tuple(map(Redecided.from_document, document.get("redecided", ()))),
            counts=document["counts"],
            document=document,
        )


@dataclass(frozen=True, slots=True)
class Candidate:
    """A speaker who may be right.

    Attributes:
        speaker: label.
        example: id of a turn by which to know the speaker; None if there is no other turn.
    """

    speaker: str
    example: str | None

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(document["speaker"], document["example"])


@dataclass(frozen=True, slots=True)
class Question:
    """A question to a person who can listen. The operations of a correction answer it.

    Attributes:
        kind: `speaker_of_turn` asks who speaks in `turn`: answer with `confirm_turns`, `reassign_turns` or
            `split_speaker`. `same_person` asks whether `speaker` is the one candidate: answer with `merge_speakers`, or
            with `confirm_turns` for `turn` and the example.
        turn: id of the turn to listen to.
        speaker: its label at present.
        candidates: who may be right, the most probable one first.
        seconds: length of the turns that an answer is expected to change.
    """

    kind: str
    turn: str
    speaker: str
    candidates: tuple[Candidate, ...]
    seconds: float

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(
            kind=document["kind"],
            turn=document["turn"],
            speaker=document["speaker"],
            candidates=tuple(map(Candidate.from_document, document["candidates"])),
            seconds=document["seconds"],
        )


@dataclass(frozen=True, slots=True)
class Questions:
    """What to ask about a result.

    Attributes:
        version: version of the result that the questions are about; the `base_version` of an answer.
        by_voice: False if the result has no voices of its turns, or no turns: then there are no questions.
        questions: the one first whose answer is expected to change most.
        document: all members as the server sent them.
    """

    version: int
    by_voice: bool
    questions: tuple[Question, ...]
    document: Document = field(repr=False, compare=False)

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(
            version=document["version"],
            by_voice=document["by_voice"],
            questions=tuple(map(Question.from_document, document["questions"])),
            document=document,
        )
