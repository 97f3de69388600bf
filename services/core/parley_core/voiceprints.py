"""Voiceprints: speaker embeddings under a person's name.

A speaker embedding is biometric. It is kept only if a job asks for it, is shown to nobody else, and is never logged.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from operator import mul
from typing import Protocol

Embedding = Sequence[float]
"""A speaker embedding: a unit vector, compared by cosine similarity."""


class Role(StrEnum):
    """What a person is in a conversation. Nobody is enrolled as `other`; a channel can be somebody else's."""

    CLINICIAN = "clinician"
    PATIENT = "patient"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Consent:
    """A person's consent to a voiceprint.

    Attributes:
        given_by: the person, or somebody who may speak for the person.
        given_at: when it was given.
        purpose: what the voiceprint is used for.
        until: the voiceprint ends at this moment.
    """

    given_by: str
    given_at: datetime
    purpose: str
    until: datetime


@dataclass(frozen=True, slots=True)
class NewVoiceprint:
    """A voiceprint about to be enrolled.

    Attributes:
        name: of the person, unique in the tenant (see `name_key`).
        model: what made the embedding; voiceprints of different models are never compared.
        vector: the speaker embedding.
        consent: None where the server does not require it.
    """

    id: str
    tenant: str
    name: str
    role: Role | None
    model: str
    vector: Embedding = field(repr=False)
    consent: Consent | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Voiceprint(NewVoiceprint):
    """An enrolled voiceprint. It names its person in the tenant's recordings until it is deleted or consent ends."""

    enrolled_at: datetime

    def has_ended(self, now: datetime) -> bool:
        """Return whether the person's consent is over."""
        return self.consent is not None and self.consent.until <= now


@dataclass(frozen=True, slots=True)
class Match:
    """A voiceprint that matches a speaker; `similarity` is the cosine similarity of the two, -1 to 1."""

    voiceprint: Voiceprint
    similarity: float


def identify(
    embeddings: Mapping[str, Embedding], model: str, voiceprints: Iterable[Voiceprint], threshold: float
) -> dict[str, Match]:
    """Return the matches by speaker label, most similar pair first.

    No voiceprint and no speaker is matched twice, and none below the threshold.

    Args:
        embeddings: of the speakers of one recording, by label.
        model: what made them; voiceprints of another model are left out.
        threshold: smallest cosine similarity of a match.
    """
    comparable = [voiceprint for voiceprint in voiceprints if voiceprint.model == model]
    pairs = [
        (cosine_similarity(embedding, voiceprint.vector), label, voiceprint)
        for label, embedding in embeddings.items()
        for voiceprint in comparable
    ]
    found: dict[str, Match] = {}
    named: set[str] = set()
    for similarity, label, voiceprint in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2].id)):
        if similarity >= threshold and label not in found and voiceprint.id not in named:
            found[label] = Match(voiceprint, similarity)
            named.add(voiceprint.id)
    return found


def cosine_similarity(one: Embedding, other: Embedding) -> float:
    """Return the cosine similarity of two unit vectors, -1 to 1."""
    return float(sum(map(mul, one, other)))


def name_key(name: str) -> str:
    """Return what two names of one tenant must differ in: case and ways of writing an accent do not count."""
    return unicodedata.normalize("NFKC", name).casefold()


class VoiceprintStore(Protocol):
    """Voiceprints by tenant, kept until they are deleted. Each change is atomic.

    A voiceprint whose consent has ended is not found any more. It is kept until the keeper removes it.

    Every method raises JobStoreUnavailable when the store does not answer in time.
    """

    def enrol(self, new: NewVoiceprint) -> Voiceprint:
        """Store a voiceprint. With an id that is stored, it returns that voiceprint.

        Raises:
            VoiceprintNameTaken: the tenant has a voiceprint of this name (see voiceprints.name_key).
            TooManyVoiceprints: the tenant has reached its limit.
            JobStoreFull: Redis has no memory left.
        """
        ...

    def get(self, tenant: str, voiceprint_id: str) -> Voiceprint:
        """Return the voiceprint. Raises VoiceprintNotFound, also for one of another tenant."""
        ...

    def all(self, tenant: str) -> Sequence[Voiceprint]:
        """Return the tenant's voiceprints, in order of enrolment."""
        ...

    def remove(self, tenant: str, voiceprint_id: str) -> None:
        """Delete a voiceprint, also after its consent has ended. Its name is free again. Raises VoiceprintNotFound."""
        ...

    def expired(self, limit: int) -> Sequence[Voiceprint]:
        """Return kept voiceprints of all tenants whose consent has ended, those that ended first in front."""
        ...
