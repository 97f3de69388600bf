"""Voiceprints: speaker embeddings under a person's name.

A speaker embedding is biometric. It is kept only if a job asks for it, is shown to nobody else, and is never logged.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

Embedding = Sequence[float]
"""A speaker embedding: a unit vector, compared by cosine similarity."""


class Role(StrEnum):
    """What a person is in a conversation. Nobody is enrolled as `other`; a channel can be somebody else's."""

    CLINICIAN = "clinician"
    PATIENT = "patient"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class NewVoiceprint:
    """A voiceprint about to be enrolled.

    Attributes:
        name: of the person, unique in the tenant (see `name_key`).
        model: what made the embedding; voiceprints of different models are never compared.
        vector: the speaker embedding.
    """

    id: str
    tenant: str
    name: str
    role: Role | None
    model: str
    vector: Embedding = field(repr=False)


@dataclass(frozen=True, slots=True)
class Voiceprint(NewVoiceprint):
    """An enrolled voiceprint. It names its person in the tenant's recordings until it is deleted."""

    enrolled_at: datetime


def name_key(name: str) -> str:
    """Return what two names of one tenant must differ in: case and ways of writing an accent do not count."""
    return unicodedata.normalize("NFKC", name).casefold()
