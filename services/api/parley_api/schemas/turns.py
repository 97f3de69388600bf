"""Who spoke when, and the consult that asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from pydantic import Field

from parley_api.schemas.base import Answer
from parley_api.schemas.jobs import ErrorAnswer
from parley_core.job import Job, JobState
from parley_core.result_document import ResultDocument
from parley_core.speaker_identification import SpeakerIdentity
from parley_core.turns import EngineInfo, Turn
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

    @classmethod
    def of(cls, turns: Sequence[Turn], engine: EngineInfo) -> list[Self]:
        return [
            cls(
                start=turn.start,
                end=turn.end,
                speaker=turn.speaker,
                confidence=turn.confidence,
                needs_review=engine.needs_review(turn),
            )
            for turn in turns
        ]


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
    similarity: float | None = Field(
        description="Cosine similarity of speaker embedding and voiceprint; null without a name."
    )
    voiceprint_id: str | None
    role: Role | None

    @classmethod
    def of(cls, identities: Sequence[SpeakerIdentity]) -> list[Self]:
        return [cls.model_validate(identity) for identity in identities]


class TurnsAnswer(Answer):
    """Who spoke when. Seconds from the beginning of the recording."""

    job_id: str
    recording: DiarizedAnswer
    speakers: list[str]
    identities: list[SpeakerIdentityAnswer] = Field(
        [], description="Of jobs with `voices` or `channels`; else left out."
    )
    turns: list[TurnAnswer]
    exclusive_turns: list[TurnAnswer] = Field(description="At every moment at most one speaker.")
    overlaps: list[SpanAnswer] = Field(description="Where two or more speak.")
    engine: EngineAnswer
    speaker_embeddings: dict[str, list[float]] = Field(
        {}, description="Unit vector by speaker; with `embeddings=true` only."
    )
    embedding_model: str = Field("", description="What made the vectors; with `embeddings=true` only.")

    @classmethod
    def of(cls, result: ResultDocument, identities: Sequence[SpeakerIdentity] | None, embeddings: bool) -> Self:
        """Return the answer with its optional members unset unless `identities` and `embeddings` ask for them."""
        optional: dict[str, object] = {}
        if identities is not None:
            optional["identities"] = SpeakerIdentityAnswer.of(identities)
        if embeddings:
            optional["speaker_embeddings"] = result.speaker_embeddings
            optional["embedding_model"] = result.embedding_model
        return cls.model_validate(
            {
                "job_id": result.job_id,
                "recording": result.recording,
                "speakers": result.speakers,
                "turns": TurnAnswer.of(result.turns, result.engine),
                "exclusive_turns": TurnAnswer.of(result.exclusive_turns, result.engine),
                "overlaps": result.overlaps,
                "engine": result.engine,
                **optional,
            }
        )


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

    @classmethod
    def of(
        cls, job: Job, result: ResultDocument | None = None, identities: Sequence[SpeakerIdentity] | None = None
    ) -> Self:
        return cls(
            job_id=job.id,
            session_id=job.options.reference or "",
            status=job.state,
            progress=job.progress,
            error=ErrorAnswer.of(job.error),
            turns=None if result is None else TurnAnswer.of(result.turns, result.engine),
            identities=None if identities is None else SpeakerIdentityAnswer.of(identities),
        )
