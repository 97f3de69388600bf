"""Speaker identification: which voiceprints of a tenant match the speakers of a recording, and in which roles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import mul

from parley_core.voiceprints import Embedding, Role, Voiceprint


@dataclass(frozen=True, slots=True)
class Match:
    """A voiceprint that matches a speaker; `similarity` is the cosine similarity of the two, -1 to 1."""

    voiceprint: Voiceprint
    similarity: float


@dataclass(frozen=True, slots=True)
class SpeakerIdentity:
    """Who a speaker of a recording is, as far as is known. Without a name the speaker is unknown."""

    speaker: str
    name: str | None = None
    similarity: float | None = None
    voiceprint_id: str | None = None
    role: Role | None = None


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


def identities(
    speakers: Sequence[str], matches: Mapping[str, Match], by_channel: Mapping[str, Role]
) -> tuple[SpeakerIdentity, ...]:
    """Return who the speakers are: named by voiceprint, with the role of their channel, else of their voiceprint.

    If a clinician is matched and there is one other speaker, that one is the patient unless another role is known.
    """
    roles = {label: match.voiceprint.role for label, match in matches.items()} | dict(by_channel)
    clinicians = [label for label, match in matches.items() if match.voiceprint.role is Role.CLINICIAN]
    others = [label for label in speakers if label not in clinicians]
    if clinicians and len(others) == 1:
        roles[others[0]] = roles.get(others[0]) or Role.PATIENT
    found = []
    for speaker in speakers:
        match, role = matches.get(speaker), roles.get(speaker)
        if match is None:
            found.append(SpeakerIdentity(speaker, role=role))
        else:
            named = match.voiceprint
            found.append(SpeakerIdentity(speaker, named.name, round(match.similarity, 3), named.id, role))
    return tuple(found)
