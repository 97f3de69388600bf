"""Enrolled voices and the people they name, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from parley._answers import Document


@dataclass(frozen=True, slots=True)
class Voiceprint:
    """An enrolled voice; it names its person in your jobs until it is deleted. The vector stays with the server.

    Attributes:
        role: clinician, patient or None.
        model: what made the vector; it is compared with vectors of the same model only.
        document: all of it, as the server sent it.
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
class SpeakerIdentity:
    """Who a speaker is, as far as it is known.

    Attributes:
        name: of the enrolled voice; None is unknown.
        score: cosine to that voice.
        role: clinician, patient, other or None.
    """

    speaker: str
    name: str | None
    score: float | None
    voiceprint_id: str | None
    role: str | None

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(
            document["speaker"], document["name"], document["score"], document["voiceprint_id"], document["role"]
        )

    @property
    def label(self) -> str:
        """The speaker's label, with what is known behind it: `SPEAKER_00 (Dr. Weber, clinician)`."""
        known = ", ".join(filter(None, (self.name, self.role)))
        return f"{self.speaker} ({known})" if known else self.speaker
