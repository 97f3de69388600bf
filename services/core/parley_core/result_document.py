"""The result document: who spoke when in one recording. A worker writes it, the API reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from typing import ClassVar, Self, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from parley_core.job import Job, ResultSummary
from parley_core.turns import AudioQuality, Diarization, EngineInfo, Span, SpeakerCount, Turn, merge_spans
from parley_core.voiceprints import Role

FORMAT_VERSION = 3  # rises with every new member; readers ignore members that they do not know
DIGITS = 3  # of all seconds: whole milliseconds

Interval = TypeVar("Interval", Turn, Span)


@dataclass(frozen=True, slots=True)
class DiarizedRecording:
    """Which recording a result belongs to: SHA-256 of its bytes (hex) and its length in seconds."""

    sha256: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultDocument:
    """Members in the order in which they are written. All times are seconds, in whole milliseconds.

    Attributes:
        speakers: labels in order of first appearance.
        turns: by start time; turns of different speakers may overlap.
        exclusive_turns: at most one speaker at any time, to join with a transcript.
        overlaps: where two or more speakers talk.
        speaker_count: number of speakers, with its doubt; None if the engine does not know.
        purity: probability by label that it stands for one person only; empty if the engine does not know.
        audio_quality: how the recording sounds; None if nothing is known.
        roles: of speakers, by label, as far as the recording's channels tell.
        speaker_embeddings: unit vector by label; biometric, and empty unless the job asks for it.
        embedding_model: name of the model of these vectors; only vectors of the same model are compared.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True)

    format_version: int = FORMAT_VERSION
    job_id: str
    recording: DiarizedRecording
    speakers: tuple[str, ...]
    turns: tuple[Turn, ...]
    exclusive_turns: tuple[Turn, ...]
    overlaps: tuple[Span, ...]
    engine: EngineInfo
    speaker_count: SpeakerCount | None = None
    purity: Mapping[str, float] = field(default_factory=dict)
    audio_quality: AudioQuality | None = None
    roles: Mapping[str, Role] = field(default_factory=dict)
    speaker_embeddings: Mapping[str, tuple[float, ...]] = field(default_factory=dict, repr=False)
    embedding_model: str = ""

    @classmethod
    def of(cls, job: Job, diarization: Diarization, engine: EngineInfo, roles: Mapping[str, Role]) -> Self:
        """Return the document of what an engine found in the recording of a job."""
        keep_embeddings = job.options.speaker_embeddings
        # Vectors of an engine that does not name its model are comparable with those of the same engine only.
        model = diarization.embedding_model or f"{engine.name} {engine.version}"
        return cls(
            job_id=job.id,
            recording=DiarizedRecording(job.recording.sha256, round(job.recording.seconds, DIGITS)),
            speakers=diarization.speakers,
            turns=_rounded(diarization.turns),
            exclusive_turns=_rounded(diarization.exclusive_turns),
            overlaps=_rounded(diarization.overlaps),
            engine=engine,
            speaker_count=diarization.speaker_count,
            purity=diarization.purity,
            audio_quality=diarization.audio_quality,
            roles=roles,
            speaker_embeddings=diarization.speaker_embeddings if keep_embeddings else {},
            embedding_model=model if keep_embeddings else "",
        )

    @classmethod
    def from_json(cls, text: bytes) -> ResultDocument:
        """Return the document that `to_json` wrote, in this version or another.

        Raises:
            ValueError: a member is missing or of the wrong type. The message names it and holds no values.
        """
        try:
            return _adapter().validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            member = ".".join(map(str, first["loc"])) or "the whole"
            raise ValueError(f"This is not a result document: {member}: {first['msg']}.") from None

    def to_json(self) -> bytes:
        """Return compact JSON."""
        return _adapter().dump_json(self)

    def summary(self, key: str, timings: dict[str, float]) -> ResultSummary:
        """Return what the record keeps of the result that is stored under `key`."""
        verdicts = [self.engine.needs_review(turn) for turn in self.turns]
        to_review = [turn for turn, verdict in zip(self.turns, verdicts, strict=True) if verdict]
        can_tell = self.engine.review_below is not None
        return ResultSummary(
            key=key,
            speakers=len(self.speakers),
            turns=len(self.turns),
            seconds_of_speech=_seconds(merge_spans(self.turns)),
            engine=asdict(self.engine),
            timings=timings,
            turns_to_review=len(to_review) if can_tell else None,
            seconds_to_review=_seconds(to_review) if can_tell else None,
            plausible_speakers=self.speaker_count.plausible if self.speaker_count else None,
            speakers_to_review=sum(map(self.engine.may_be_several, self.purity.values())) if self.purity else None,
        )


@cache
def _adapter() -> TypeAdapter[ResultDocument]:
    return TypeAdapter(ResultDocument)


def _rounded(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    return tuple(replace(one, start=round(one.start, DIGITS), end=round(one.end, DIGITS)) for one in intervals)


def _seconds(intervals: Iterable[Turn | Span]) -> float:
    return round(sum(one.end - one.start for one in intervals), DIGITS)
