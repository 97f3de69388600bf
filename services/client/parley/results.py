"""Results as frozen values: turns, speakers, the words of a transcript.

`document` holds all members as the server sent them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from parley.models import Document


@dataclass(frozen=True, slots=True)
class Turn:
    """An interval in which one speaker talks without a break.

    Attributes:
        start: seconds from the beginning of the recording.
        end: seconds from the beginning of the recording.
        speaker: label of the speaker, such as `SPEAKER_00`; valid within its job.
        confidence: probability, 0 to 1, that the speaker label is correct; None if the engine states none.
        needs_review: True if the confidence is below the engine's bound; None if the engine states none.
        id: names the turn in corrections; None in exclusive turns.
        confirmed: a person has confirmed or given the speaker.
        text: the speaker's words; None if the job has no transcript.
    """

    start: float
    end: float
    speaker: str
    confidence: float | None = None
    needs_review: bool | None = None
    id: str | None = None
    confirmed: bool = False
    text: str | None = None

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(
            start=document["start"],
            end=document["end"],
            speaker=document["speaker"],
            confidence=document.get("confidence"),
            needs_review=document.get("needs_review"),
            id=document.get("id"),
            confirmed=document.get("confirmed", False),
            text=document.get("text"),
        )


@dataclass(frozen=True, slots=True)
class SpeakerIdentity:
    """Who a speaker is, as far as it is known.

    Attributes:
        speaker: label of the speaker.
        name: name of the matching voiceprint; None if no voiceprint matches.
        similarity: cosine similarity of speaker embedding and voiceprint; None if no voiceprint matches.
        voiceprint_id: id of the matching voiceprint.
        role: `clinician`, `patient`, `other` or None.
    """

    speaker: str
    name: str | None
    similarity: float | None
    voiceprint_id: str | None
    role: str | None

    @property
    def label(self) -> str:
        """The speaker's label, followed by name and role if they are known: `SPEAKER_00 (Dr. Weber, clinician)`."""
        known = ", ".join(filter(None, (self.name, self.role)))
        return f"{self.speaker} ({known})" if known else self.speaker

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(
            speaker=document["speaker"],
            name=document["name"],
            similarity=document["similarity"],
            voiceprint_id=document["voiceprint_id"],
            role=document["role"],
        )


@dataclass(frozen=True, slots=True)
class SpeakerCount:
    """How many people speak.

    Attributes:
        found: number of speakers of the result.
        plausible: lowest and highest number that the recording supports.
        needs_review: True if they differ from `found`: a person should check the number.
    """

    found: int
    plausible: tuple[int, int]
    needs_review: bool

    @classmethod
    def from_document(cls, document: Document | None) -> Self | None:
        if document is None:
            return None
        low, high = document["plausible"]
        return cls(document["found"], (low, high), document["needs_review"])


@dataclass(frozen=True, slots=True)
class SpeakerPurity:
    """Whether a speaker label stands for one person.

    Attributes:
        speaker: label of the speaker.
        purity: probability, 0 to 1, that the label stands for one person only.
        needs_review: True if two people may share the label.
    """

    speaker: str
    purity: float
    needs_review: bool

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(document["speaker"], document["purity"], document["needs_review"])


@dataclass(frozen=True, slots=True)
class AudioWarning:
    """What is unusual about the sound of a recording.

    Attributes:
        code: names the warning, such as `noise` or `reverberation`.
        detail: the same as a sentence for a person.
        needs_review: True if errors are higher in such recordings.
    """

    code: str
    detail: str
    needs_review: bool

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(document["code"], document["detail"], document["needs_review"])


@dataclass(frozen=True, slots=True)
class AudioQuality:
    """How a recording sounds.

    Attributes:
        needs_review: True if a person should check the result because of the sound.
        warnings: what is unusual; empty for an ordinary recording.
        measures: what was measured, by name with its unit.
    """

    needs_review: bool
    warnings: tuple[AudioWarning, ...]
    measures: Mapping[str, float]

    @classmethod
    def from_document(cls, document: Document | None) -> Self | None:
        if document is None:
            return None
        warnings = tuple(map(AudioWarning.from_document, document["warnings"]))
        return cls(document["needs_review"], warnings, document["measures"])


@dataclass(frozen=True, slots=True)
class Turns:
    """The result of a job.

    Attributes:
        job_id: the job.
        turns: by start time; turns of different speakers may overlap.
        exclusive_turns: the same without overlaps, to join with a transcript.
        speakers: labels in order of first appearance.
        identities: who the speakers are, if the job keeps speaker embeddings or knows its channels; else empty.
        seconds: length of the recording.
        version: number of corrections; 0 is the result of the engine.
        speaker_count: how many people speak; None if the engine cannot tell.
        purity: whether each speaker is one person; empty if the engine cannot tell.
        audio_quality: how the recording sounds; None if nothing is known.
        document: the whole result, with overlaps and engine, as the server sent it.
    """

    job_id: str
    turns: tuple[Turn, ...]
    exclusive_turns: tuple[Turn, ...]
    speakers: tuple[str, ...]
    identities: tuple[SpeakerIdentity, ...]
    seconds: float
    version: int
    speaker_count: SpeakerCount | None
    purity: tuple[SpeakerPurity, ...]
    audio_quality: AudioQuality | None
    document: Document = field(repr=False, compare=False)

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(
            job_id=document["job_id"],
            turns=tuple(Turn.from_document(turn) for turn in document["turns"]),
            exclusive_turns=tuple(Turn.from_document(turn) for turn in document["exclusive_turns"]),
            speakers=tuple(document["speakers"]),
            identities=tuple(SpeakerIdentity.from_document(identity) for identity in document.get("identities", ())),
            seconds=document["recording"]["seconds"],
            version=document.get("version", 0),
            speaker_count=SpeakerCount.from_document(document.get("speaker_count")),
            purity=tuple(map(SpeakerPurity.from_document, document.get("purity", ()))),
            audio_quality=AudioQuality.from_document(document.get("audio_quality")),
            document=document,
        )


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A word of a transcript, unchanged, with its speaker.

    Attributes:
        text: as the recogniser has written it.
        start: seconds from the beginning of the recording.
        end: seconds from the beginning of the recording.
        speaker: label; None if nobody speaks in the recording.
        confidence: the speaker's share of the engine's evidence at that moment, 0 to 1.
    """

    text: str
    start: float
    end: float
    speaker: str | None
    confidence: float

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(*(document[name] for name in ("text", "start", "end", "speaker", "confidence")))


@dataclass(frozen=True, slots=True)
class Transcript:
    """Who said each word of a recording.

    Attributes:
        job_id: the job.
        utterances: consecutive words of one speaker, each as one entry.
        words: every word, in the recogniser's order.
        document: all members as the server sent them.
    """

    job_id: str
    utterances: tuple[SpokenWord, ...]
    words: tuple[SpokenWord, ...]
    document: Document = field(repr=False, compare=False)

    @classmethod
    def from_document(cls, document: Document) -> Self:
        utterances, words = (
            tuple(SpokenWord.from_document(one) for one in document[name]) for name in ("utterances", "words")
        )
        return cls(document["job_id"], utterances, words, document)
