"""Enrolled voices: who of a tenant's people speaks in a recording, and in which role.

A vector of a voice is biometric: it is kept where somebody asked for it, shown to nobody else, and never logged.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from operator import mul

Vector = Sequence[float]
"""A voice as a unit vector; the cosine of two is how near they are, -1 to 1."""


class Role(StrEnum):
    """What a person is in a conversation. Nobody is enrolled as `other`; a channel can be somebody else's."""

    CLINICIAN = "clinician"
    PATIENT = "patient"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class NewVoiceprint:
    """A person's voice about to be enrolled.

    Attributes:
        name: of the person, unique in the tenant (see `name_key`).
        model: what made the vector; voices of different models are never compared.
        vector: unit vector.
    """

    id: str
    tenant: str
    name: str
    role: Role | None
    model: str
    vector: Vector = field(repr=False)


@dataclass(frozen=True, slots=True)
class Voiceprint(NewVoiceprint):
    """An enrolled voice: it names its person in the tenant's recordings until it is deleted."""

    enrolled_at: datetime


@dataclass(frozen=True, slots=True)
class Match:
    """An enrolled voice found in a recording; `similarity` is its cosine similarity to the speaker."""

    voice: Voiceprint
    similarity: float


@dataclass(frozen=True, slots=True)
class SpeakerIdentity:
    """Who a speaker of a recording is, as far as is known; without a name the speaker is unknown."""

    speaker: str
    name: str | None = None
    similarity: float | None = None
    voiceprint_id: str | None = None
    role: Role | None = None


def name_key(name: str) -> str:
    """Return what two names of one tenant must differ in: case and ways of writing an accent do not count."""
    return unicodedata.normalize("NFKC", name).casefold()


def identify(
    vectors: Mapping[str, Vector], model: str, enrolled: Iterable[Voiceprint], threshold: float
) -> dict[str, Match]:
    """Return who is found, by speaker label: best pair first, no voice and no speaker twice, none below the threshold.

    Args:
        vectors: of the speakers of one recording, by label.
        model: what made them.
        enrolled: voices to look for; those of another model are left out.
    """
    comparable = [voice for voice in enrolled if voice.model == model]
    pairs = [(cosine(vector, voice.vector), label, voice) for label, vector in vectors.items() for voice in comparable]
    found: dict[str, Match] = {}
    named: set[str] = set()
    for similarity, label, voice in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2].id)):
        if similarity >= threshold and label not in found and voice.id not in named:
            found[label] = Match(voice, similarity)
            named.add(voice.id)
    return found


def cosine(one: Vector, other: Vector) -> float:
    """Return how near two unit vectors are, -1 to 1."""
    return float(sum(map(mul, one, other)))


def people(
    speakers: Sequence[str], matches: Mapping[str, Match], by_channel: Mapping[str, Role]
) -> tuple[SpeakerIdentity, ...]:
    """Return who the speakers are: named by their voice, with the role of their channel, else of their voice.

    With a clinician found by voice, the only other speaker of a conversation is the patient, unless more is known.
    """
    roles = {label: match.voice.role for label, match in matches.items()} | dict(by_channel)
    if patient := _only_other(speakers, matches):
        roles[patient] = roles.get(patient) or Role.PATIENT
    return tuple(_person(speaker, matches.get(speaker), roles.get(speaker)) for speaker in speakers)


def _only_other(speakers: Sequence[str], matches: Mapping[str, Match]) -> str | None:
    clinicians = [label for label, match in matches.items() if match.voice.role is Role.CLINICIAN]
    others = [label for label in speakers if label not in clinicians]
    return others[0] if clinicians and len(others) == 1 else None


def _person(speaker: str, match: Match | None, role: Role | None) -> SpeakerIdentity:
    if match is None:
        return SpeakerIdentity(speaker, role=role)
    return SpeakerIdentity(speaker, match.voice.name, round(match.similarity, 3), match.voice.id, role)
