"""Speaker identification: which voiceprints of a tenant match the speakers of a recording, and in which roles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from parley_core.voiceprints import Match, Role


@dataclass(frozen=True, slots=True)
class SpeakerIdentity:
    """Who a speaker of a recording is, as far as is known. Without a name the speaker is unknown."""

    speaker: str
    name: str | None = None
    similarity: float | None = None
    voiceprint_id: str | None = None
    role: Role | None = None


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
