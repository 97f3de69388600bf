"""Who spoke when, and the consult that asked."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from parley_api.schemas.base import Answer
from parley_api.schemas.jobs import ErrorAnswer
from parley_core.job import JobState


class TurnAnswer(Answer):
    start: float
    end: float
    speaker: str
    confidence: float | None


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


class TurnsAnswer(Answer):
    """Who spoke when. Seconds from the beginning of the recording."""

    job_id: str
    turns: list[TurnAnswer]
    exclusive_turns: list[TurnAnswer] = Field(description="At every moment at most one speaker.")
    overlaps: list[SpanAnswer] = Field(description="Where two or more speak.")
    speakers: list[str]
    engine: EngineAnswer
    recording: DiarizedAnswer


class ConsultAccepted(Answer):
    """A consult's recording, accepted for good."""

    job_id: str
    session_id: str
    status: JobState


class ConsultAnswer(ConsultAccepted):
    """A consult's job and, once it has succeeded, its turns."""

    progress: float
    error: ErrorAnswer | None
    turns: list[TurnAnswer] | None
