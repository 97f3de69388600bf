"""Who spoke when: the result of a job, and the formats people read it in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from parley_core.frame_evidence import FrameEvidence
from parley_core.turn_voices import TurnVoices

# Names of an engine's parameters.
REVIEW_BELOW = "review_below"  # confidence below which a turn needs review
PURITY_REVIEW_BELOW = "purity_review_below"  # purity below which a speaker needs review


@dataclass(frozen=True, slots=True)
class Turn:
    """One speaker talking without a break.

    Attributes:
        start: seconds from the beginning of the recording.
        end: seconds; greater than start.
        speaker: label valid inside one job, `SPEAKER_00` and up in order of first appearance.
        confidence: 0 to 1, or None where the engine does not know.
    """

    start: float
    end: float
    speaker: str
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the recording, in seconds."""

    start: float
    end: float


@dataclass(frozen=True, slots=True)
class SpeakerCount:
    """How many people speak.

    Attributes:
        found: number of speakers of the result.
        plausible: lowest and highest number that the recording supports; `found` lies between them.
    """

    found: int
    plausible: tuple[int, int]

    @property
    def needs_review(self) -> bool:
        """Whether a person should check the number."""
        return self.plausible != (self.found, self.found)


@dataclass(frozen=True, slots=True)
class AudioWarning:
    """What is unusual about the sound of a recording.

    Attributes:
        code: names it; docs/concepts/engine.md has them all.
        detail: a sentence for a person.
        needs_review: whether errors are higher in such recordings, so that a person should check the result.
    """

    code: str
    detail: str
    needs_review: bool


@dataclass(frozen=True, slots=True)
class AudioQuality:
    """How a recording sounds.

    Attributes:
        measures: by name, with their units; those that the recording does not allow are missing.
        warnings: empty if it sounds like the recordings on which the engine was measured.
    """

    measures: Mapping[str, float]
    warnings: tuple[AudioWarning, ...]

    @property
    def needs_review(self) -> bool:
        """Whether a person should check the result because of the recording's sound."""
        return any(warning.needs_review for warning in self.warnings)


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What made a result: enough to make it again.

    Attributes:
        weights: file name to SHA-256 (hex) of every model file.
        parameters: every setting that can change a turn.
        kernels: what computed the models: library with version, processor, instructions. They differ between machines,
            and so may the last digits of a result.
    """

    name: str
    version: str
    weights: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    kernels: dict[str, str] = field(default_factory=dict)

    @property
    def review_below(self) -> float | None:
        """Confidence below which a turn needs review; None if the engine states none."""
        bound: float | None = self.parameters.get(REVIEW_BELOW)
        return bound

    def needs_review(self, turn: Turn) -> bool | None:
        """Say whether a person should check a turn; None if turn or engine state no confidence."""
        if turn.confidence is None or self.review_below is None:
            return None
        return turn.confidence < self.review_below

    def may_be_several(self, purity: float) -> bool:
        """Say whether a person should check if a speaker of this purity is two people."""
        bound: float = self.parameters.get(PURITY_REVIEW_BELOW, 0.0)
        return purity < bound


@dataclass(frozen=True, slots=True)
class Diarization:
    """The output of an engine for one recording.

    Attributes:
        turns: by start time; turns of different speakers may overlap.
        exclusive_turns: at most one speaker at every moment, to join the turns with a transcript.
        overlaps: where two or more speak.
        speaker_count: number of speakers, with its doubt; None if the engine does not know.
        purity: probability per speaker label that it stands for one person only; empty if the engine does not know.
        audio_quality: how the recording sounds; None if the engine does not know.
        speaker_embeddings: unit vector per speaker label, where the engine has one. Embeddings of one model are
            compared by cosine similarity, also between recordings. Biometric: kept only if the caller asks for it.
        embedding_model: name and SHA-256 of the model that made the embeddings; those of two models are not compared.
        evidence: how strongly each speaker is heard at each moment; None if the engine does not know.
        voices: how the turns sound, compared with each other; None if the engine does not know.
    """

    turns: tuple[Turn, ...]
    exclusive_turns: tuple[Turn, ...]
    overlaps: tuple[Span, ...]
    speaker_count: SpeakerCount | None = None
    purity: Mapping[str, float] = field(default_factory=dict)
    audio_quality: AudioQuality | None = None
    speaker_embeddings: Mapping[str, tuple[float, ...]] = field(default_factory=dict, repr=False)
    embedding_model: str = ""
    evidence: FrameEvidence | None = field(default=None, repr=False)
    voices: TurnVoices | None = field(default=None, repr=False)

    @property
    def speakers(self) -> tuple[str, ...]:
        """Labels in order of first appearance."""
        return tuple(dict.fromkeys(turn.speaker for turn in self.turns))


def merge_spans(turns: Iterable[Turn | Span]) -> list[Span]:
    """Return the union of the given spans, in order."""
    merged: list[Span] = []
    for turn in sorted(turns, key=lambda t: t.start):
        if merged and turn.start <= merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, turn.end))
        else:
            merged.append(Span(turn.start, turn.end))
    return merged


def to_rttm(turns: Iterable[Turn], name: str) -> str:
    """Return NIST RTTM, one SPEAKER line per turn; `name` (a job id) is the file field, so no blanks."""
    return "".join(
        f"SPEAKER {name} 1 {t.start:.3f} {t.end - t.start:.3f} <NA> <NA> {t.speaker} <NA> <NA>\n" for t in turns
    )
