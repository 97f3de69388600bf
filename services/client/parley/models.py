"""The server's JSON as frozen values.

Each value keeps the members that are described here; `document` holds all members as the server sent them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

Document = Mapping[str, Any]
"""A JSON object as the server sent it."""

UNFINISHED_STATES = ("accepted", "queued", "running")
TERMINAL_STATES = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Recording:
    """Stored audio.

    Attributes:
        sha256: hash of the bytes.
        bytes: size.
        seconds: length.
        media_type: such as `audio/flac`.
        file_name: name of the submitted file; None if it was submitted without a name.
    """

    sha256: str
    bytes: int
    seconds: float
    media_type: str
    file_name: str | None = None

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(
            sha256=document["sha256"],
            bytes=document["bytes"],
            seconds=document["seconds"],
            media_type=document["media_type"],
            file_name=document.get("file_name"),
        )


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt or a job failed.

    Attributes:
        code: stable name, for programs.
        detail: a sentence, for people.
    """

    code: str
    detail: str

    @classmethod
    def from_document(cls, document: Document | None) -> Self | None:
        return None if document is None else cls(document["code"], document["detail"])


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of one job by one worker.

    Attributes:
        number: 1 for the first attempt.
        worker: name of the worker.
        started_at: start time.
        ended_at: end time; None while the attempt runs.
        error: why it failed; None if it did not.
    """

    number: int
    worker: str
    started_at: datetime
    ended_at: datetime | None
    error: Failure | None

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(
            number=document["number"],
            worker=document["worker"],
            started_at=datetime.fromisoformat(document["started_at"]),
            ended_at=optional_time(document.get("ended_at")),
            error=Failure.from_document(document.get("error")),
        )


@dataclass(frozen=True, slots=True)
class ResultSummary:
    """The result in numbers; `Parley.turns` returns the result itself.

    Attributes:
        speakers: number of speakers.
        turns: number of turns.
        seconds_of_speech: seconds in which at least one person speaks.
        turns_to_review: number of turns that need review; None if the engine states no confidence.
        seconds_to_review: total length of these turns; None if the engine states no confidence.
        plausible_speakers: lowest and highest plausible number of speakers; None if the engine cannot tell.
        speakers_to_review: number of speakers who may be several people; None if the engine cannot tell.
    """

    speakers: int
    turns: int
    seconds_of_speech: float
    turns_to_review: int | None = None
    seconds_to_review: float | None = None
    plausible_speakers: tuple[int, int] | None = None
    speakers_to_review: int | None = None

    @classmethod
    def from_document(cls, document: Document | None) -> Self | None:
        if document is None:
            return None
        plausible = document.get("plausible_speakers")
        return cls(
            speakers=document["speakers"],
            turns=document["turns"],
            seconds_of_speech=document["seconds_of_speech"],
            turns_to_review=document.get("turns_to_review"),
            seconds_to_review=document.get("seconds_to_review"),
            plausible_speakers=(plausible[0], plausible[1]) if plausible else None,
            speakers_to_review=document.get("speakers_to_review"),
        )


@dataclass(frozen=True, slots=True)
class Job:
    """A request to diarize one recording.

    Attributes:
        id: UUID.
        state: `accepted`, `queued`, `running`, `succeeded`, `failed` or `cancelled`.
        queue: `interactive` or `batch`.
        reference: the caller's own name for the conversation.
        created_at: time of the submit.
        started_at: start of the first attempt.
        finished_at: end of the job.
        recording: the submitted audio.
        position: number of jobs before this one in its queue, while it waits.
        eta_seconds: estimated seconds until the job ends.
        phase: step of a running job: `decoding`, `segmentation`, `embedding`, `clustering` or `storing`.
        progress: 0 to 1.
        attempts: attempts so far, oldest first.
        error: why the job failed.
        result: the result in numbers, once the job has succeeded.
        document: the whole job as the server sent it.
    """

    id: str
    state: str
    queue: str
    reference: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    recording: Recording
    position: int | None
    eta_seconds: float | None
    phase: str | None
    progress: float
    attempts: tuple[Attempt, ...]
    error: Failure | None
    result: ResultSummary | None
    document: Document = field(repr=False, compare=False)

    @property
    def terminal(self) -> bool:
        """True if the job has ended. Only a retry changes its state again."""
        return self.state in TERMINAL_STATES

    @property
    def succeeded(self) -> bool:
        """True if the job has turns."""
        return self.state == "succeeded"

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(
            id=document["id"],
            state=document["state"],
            queue=document["queue"],
            reference=document.get("reference"),
            created_at=datetime.fromisoformat(document["created_at"]),
            started_at=optional_time(document.get("started_at")),
            finished_at=optional_time(document.get("finished_at")),
            recording=Recording.from_document(document["recording"]),
            position=document.get("position"),
            eta_seconds=document.get("eta_seconds"),
            phase=document.get("phase"),
            progress=document.get("progress") or 0.0,
            attempts=tuple(Attempt.from_document(attempt) for attempt in document.get("attempts", ())),
            error=Failure.from_document(document.get("error")),
            result=ResultSummary.from_document(document.get("result")),
            document=document,
        )


@dataclass(frozen=True, slots=True)
class JobPage:
    """One page of a list of jobs; `next_cursor` names the next page, None on the last one."""

    jobs: tuple[Job, ...]
    next_cursor: str | None

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(tuple(Job.from_document(job) for job in document["jobs"]), document.get("next_cursor"))


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


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """The load of one queue.

    Attributes:
        queue: name.
        unfinished: number of jobs that have not ended: `waiting` plus `running`.
        waiting: number of jobs without a worker.
        running: number of jobs with a worker.
        oldest_seconds: age of the oldest unfinished job; None if there is none.
        workers: number of workers that serve the queue; None if the server does not know.
        document: all members as the server sent them.
    """

    queue: str
    unfinished: int
    waiting: int
    running: int
    oldest_seconds: float | None
    workers: int | None
    document: Document = field(repr=False, compare=False)

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(
            queue=document["queue"],
            unfinished=document["unfinished"],
            waiting=document.get("waiting", document["unfinished"] - document["running"]),
            running=document["running"],
            oldest_seconds=document.get("oldest_seconds"),
            workers=document.get("workers"),
            document=document,
        )


def optional_time(text: str | None) -> datetime | None:
    """Return an RFC 3339 time, None for None."""
    return None if text is None else datetime.fromisoformat(text)
