"""Who spoke when, and the consult that asked."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from parley_api.schemas.base import Answer
from parley_api.schemas.jobs import ErrorAnswer
from parley_core.job import JobState
from parley_core.voiceprints import Role


class TurnAnswer(Answer):
    start: float
    end: float
    speaker: str
    confidence: float | None = Field(
        description="How likely a moment of it is given to the right person, 0 to 1; null where the engine cannot tell."
    )
    needs_review: bool | None = Field(
        description="The engine is so unsure that a person should look; null where it cannot tell."
    )


class SpanAnswer(Answer):
    start: float
    end: float


class EngineAnswer(Answer):
    name: str
    version: str
    weights: dict[str, str] = Field(description="SHA-256 of every model file.")
    parameters: dict[str, Any]


class DiarizedAnswer(Answer):
    sha256: str
    seconds: float


class SpeakerIdentityAnswer(Answer):
    """Who a speaker is, as far as enrolled voices and named channels tell; without a name the speaker is unknown."""

    speaker: str
    name: str | None
    score: float | None = Field(description="Cosine to the enrolled voice; null without a name.")
    voiceprint_id: str | None
    role: Role | None


class TurnsAnswer(Answer):
    """Who spoke when. Seconds from the beginning of the recording."""

    job_id: str
    turns: list[TurnAnswer]
    exclusive_turns: list[TurnAnswer] = Field(description="At every moment at most one speaker.")
    overlaps: list[SpanAnswer] = Field(description="Where two or more speak.")
    speakers: list[str]
    engine: EngineAnswer
    recording: DiarizedAnswer
    identities: list[SpeakerIdentityAnswer] = Field(
        [], description="Of jobs with `voices` or `channels`; else left out."
    )
    speaker_embeddings: dict[str, list[float]] = Field(
        {}, description="Unit vector by speaker; with `embeddings=true` only."
    )
    embedding_model: str = Field("", description="What made the vectors; with `embeddings=true` only.")


class ConsultAccepted(Answer):
    """A consult's recording, accepted for good."""

    job_id: str
    session_id: str
    status: JobState


class ConsultAnswer(ConsultAccepted):
    """A consult's job and, once it has succeeded, its turns and who speaks in them."""

    progress: float
    error: ErrorAnswer | None
    turns: list[TurnAnswer] | None
    identities: list[SpeakerIdentityAnswer] | None = Field(description="Of a consult with `voices` or `channels`.")
