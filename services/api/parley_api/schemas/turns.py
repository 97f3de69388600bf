"""Who spoke when: turns of a job and of a consult."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from pydantic import Field

from parley_api.corrected_result import CorrectedResult
from parley_api.schemas import examples
from parley_api.schemas.base import Answer, Seconds, with_example
from parley_api.schemas.jobs import ErrorAnswer
from parley_api.speaker_identification import SpeakerIdentity
from parley_core.job import Job, JobState
from parley_core.result_document import ResultDocument
from parley_core.turns import EngineInfo, Turn
from parley_core.voiceprints import Role


class TurnAnswer(Answer):
    """One speaker talking without a break."""

    start: Seconds = Field(description="Seconds from the beginning of the recording.")
    end: Seconds = Field(description="Seconds from the beginning of the recording; greater than `start`.")
    speaker: str = Field(description="Label of the speaker, valid in this job only.")
    confidence: float | None = Field(
        description="Probability that the turn's speaker label is correct, 0 to 1; null if the engine cannot tell."
    )
    needs_review: bool | None = Field(
        description="Whether a person should check the turn; null if the engine cannot tell."
    )

    @classmethod
    def of(cls, turns: Sequence[Turn], engine: EngineInfo) -> list[Self]:
        """Return the turns of an engine."""
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


class ResultTurnAnswer(TurnAnswer):
    """A turn that can be corrected."""

    id: str = Field(description="Id of the turn, valid in this job only. Corrections name turns by it.")
    confirmed: bool = Field(description="Whether a person has confirmed or given the speaker.")
    text: str = Field(
        "", description="The speaker's words, with blanks between them. Present if the job has a transcript."
    )

    @classmethod
    def of_result(cls, result: CorrectedResult, texts: Sequence[str] | None = None) -> list[Self]:
        """Return the turns of a version of a result, with a text for each turn if there are texts."""
        engine = result.document.engine
        optional = [{"text": text} for text in texts or ()] or [{}] * len(result.turn_ids)
        return [
            cls(
                id=turn_id,
                start=turn.start,
                end=turn.end,
                speaker=turn.speaker,
                confidence=turn.confidence,
                needs_review=engine.needs_review(turn),
                confirmed=turn_id in result.confirmed,
                **text,
            )
            for turn_id, turn, text in zip(result.turn_ids, result.document.turns, optional, strict=True)
        ]


class SpanAnswer(Answer):
    """A part of the recording."""

    start: Seconds = Field(description="Seconds from the beginning of the recording.")
    end: Seconds = Field(description="Seconds from the beginning of the recording; greater than `start`.")


class SpeakerCountAnswer(Answer):
    """How many people speak."""

    found: int = Field(description="Number of speakers of the result.")
    plausible: tuple[int, int] = Field(description="Lowest and highest number that the recording supports.")
    needs_review: bool = Field(description="Whether a person should check the number.")


class PurityAnswer(Answer):
    """Whether a speaker label stands for one person."""

    speaker: str = Field(description="Label of the speaker.")
    purity: float = Field(description="Probability that the label stands for one person only, 0 to 1.")
    needs_review: bool = Field(description="Whether a person should check if two people share the label.")


class AudioWarningAnswer(Answer):
    """What is unusual about the sound of a recording."""

    code: str = Field(description="Names the warning, such as `noise` or `reverberation`.")
    detail: str = Field(description="The same as a sentence for a person.")
    needs_review: bool = Field(description="Whether errors are higher in such recordings.")


class AudioQualityAnswer(Answer):
    """How the recording sounds, beside the recordings on which the engine was measured."""

    needs_review: bool = Field(description="Whether a person should check the result because of the sound.")
    warnings: list[AudioWarningAnswer] = Field(description="What is unusual; empty for an ordinary recording.")
    measures: dict[str, float] = Field(
        description="What was measured, by name with its unit; a measure that the recording does not allow is missing."
    )


class EngineAnswer(Answer):
    """The engine that made the result."""

    name: str = Field(description="Name of the engine.")
    version: str = Field(description="Version of the engine.")
    weights: dict[str, str] = Field(description="SHA-256 of each model file, by name.")
    parameters: dict[str, Any] = Field(description="Every setting that can change a turn.")
    kernels: dict[str, str] = Field(
        {},
        description="What computed the models: library with its version, processor, the instructions of the "
        "processor that the library can use, and in `arithmetic` those for which Parley's own arithmetic was compiled, "
        "where it ran. Empty if the engine does not state it.",
    )


class DiarizedAnswer(Answer):
    """The recording that the result belongs to."""

    sha256: str = Field(description="SHA-256 of its bytes, in hex.")
    seconds: Seconds = Field(description="Its length in seconds.")


class SpeakerIdentityAnswer(Answer):
    """Who a speaker is, from voiceprints and channels."""

    speaker: str = Field(description="Label of the speaker.")
    name: str | None = Field(description="Name of the voiceprint that matches; null for an unknown speaker.")
    similarity: float | None = Field(
        description="Cosine similarity of speaker embedding and voiceprint; null without a name."
    )
    voiceprint_id: str | None = Field(description="Id of that voiceprint; null for an unknown speaker.")
    role: Role | None = Field(description="Role of the speaker; null if unknown.")

    @classmethod
    def of(cls, identities: Sequence[SpeakerIdentity]) -> list[Self]:
        """Return the identities of a result's speakers."""
        return [cls.model_validate(identity) for identity in identities]


@with_example(examples.TURNS)
class TurnsAnswer(Answer):
    """Who spoke when."""

    job_id: str = Field(description="Id of the job.")
    version: int = Field(description="Version of the result: the number of its corrections.")
    recording: DiarizedAnswer = Field(description="The recording.")
    speakers: list[str] = Field(description="Labels of the speakers, in order of first appearance.")
    identities: list[SpeakerIdentityAnswer] = Field(
        [],
        description="Who the speakers are. Present if the job has `speaker_embeddings` or `channels`, or a person has "
        "named a speaker.",
    )
    turns: list[ResultTurnAnswer] = Field(description="The turns by start; turns of different speakers may overlap.")
    exclusive_turns: list[TurnAnswer] = Field(description="The turns with at most one speaker at any time.")
    overlaps: list[SpanAnswer] = Field(description="Where two or more speakers talk.")
    speaker_count: SpeakerCountAnswer | None = Field(
        description="How many people speak; null if the engine cannot tell."
    )
    purity: list[PurityAnswer] = Field(
        description="Whether each speaker is one person; empty if the engine cannot tell."
    )
    audio_quality: AudioQualityAnswer | None = Field(description="How the recording sounds; null if nothing is known.")
    engine: EngineAnswer = Field(description="The engine that made the result.")
    speaker_embeddings: dict[str, list[float]] = Field(
        {}, description="Unit vector by speaker. Present with `embeddings=true` only."
    )
    embedding_model: str = Field("", description="Model of these vectors. Present with `embeddings=true` only.")
    has_text: bool = Field(
        False, description="Whether the job has a transcript. Present with `text=false` only: turns have `text` then."
    )

    @classmethod
    def of(
        cls,
        result: CorrectedResult,
        identities: Sequence[SpeakerIdentity] | None,
        embeddings: bool,
        texts: Sequence[str] | None = None,
        has_text: bool | None = None,
    ) -> Self:
        """Return the answer. Optional members stay unset: those of arguments that are None or false."""
        document = result.document
        optional: dict[str, object] = {} if has_text is None else {"has_text": has_text}
        if identities is not None:
            optional["identities"] = SpeakerIdentityAnswer.of(identities)
        if embeddings:
            optional["speaker_embeddings"] = document.speaker_embeddings
            optional["embedding_model"] = document.embedding_model
        return cls.model_validate(
            {
                "job_id": document.job_id,
                "version": result.version,
                "recording": document.recording,
                "speakers": document.speakers,
                "turns": ResultTurnAnswer.of_result(result, texts),
                "exclusive_turns": TurnAnswer.of(document.exclusive_turns, document.engine),
                "overlaps": document.overlaps,
                "speaker_count": document.speaker_count,
                "purity": [
                    {"speaker": label, "purity": purity, "needs_review": document.engine.may_be_several(purity)}
                    for label, purity in document.purity.items()
                ],
                "audio_quality": document.audio_quality,
                "engine": document.engine,
                **optional,
            }
        )


@with_example(examples.CONSULT_ACCEPTED)
class ConsultAccepted(Answer):
    """An accepted consult."""

    job_id: str = Field(description="Id of the job.")
    session_id: str = Field(description="Id of the consult's session.")
    status: JobState = Field(description="State of the job.")


@with_example(examples.CONSULT)
class ConsultAnswer(ConsultAccepted):
    """A consult and, after success, its turns and the identities of its speakers."""

    progress: float = Field(description="Progress of the running attempt, 0 to 1.")
    error: ErrorAnswer | None = Field(description="Why it failed; null in every other state.")
    turns: list[TurnAnswer] | None = Field(description="The turns, after success.")
    identities: list[SpeakerIdentityAnswer] | None = Field(
        description="Who the speakers are, after success. Null without `speaker_embeddings` and `channels`."
    )

    @classmethod
    def of(
        cls, job: Job, result: ResultDocument | None = None, identities: Sequence[SpeakerIdentity] | None = None
    ) -> Self:
        """Return the response for a consult's job; `result` and `identities` are None before success."""
        return cls.model_validate(
            {
                "job_id": job.id,
                "session_id": job.options.reference or "",
                "status": job.state,
                "progress": job.progress,
                "error": job.error,
                "turns": None if result is None else TurnAnswer.of(result.turns, result.engine),
                "identities": None if identities is None else SpeakerIdentityAnswer.of(identities),
            }
        )
