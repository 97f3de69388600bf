"""What the formats write: who says what, and when, in whole milliseconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from parley_api.speaker_identification import SpeakerIdentity
from parley_core.result_document import ResultDocument
from parley_core.turns import Turn
from parley_core.voiceprints import Role


@dataclass(frozen=True, slots=True)
class Passage:
    """What one speaker says without a break.

    Attributes:
        start: milliseconds from the beginning of the recording.
        end: milliseconds; greater than start.
        speaker: label.
        text: None without a transcript.
        confidence: 0 to 1, or None.
        needs_review: whether a person should check the speaker, or None.
    """

    start: int
    end: int
    speaker: str
    text: str | None = None
    confidence: float | None = None
    needs_review: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """The turns of a job, or its utterances if it has a transcript.

    Attributes:
        job_id: of the job.
        ended_at: when the job ended.
        milliseconds: length of the recording.
        turns: of the engine, by start.
        passages: the utterances if there is a transcript, otherwise the turns; by start.
        has_text: whether there is a transcript.
        names: what is written for a speaker, by label. No two speakers have the same.
        roles: by label, where known.
    """

    job_id: str
    ended_at: datetime
    milliseconds: int
    turns: tuple[Turn, ...]
    passages: tuple[Passage, ...]
    has_text: bool
    names: Mapping[str, str]
    roles: Mapping[str, Role] = field(default_factory=dict)

    @property
    def speakers(self) -> tuple[str, ...]:
        """Labels, in order of first appearance in the passages."""
        return tuple(dict.fromkeys(passage.speaker for passage in self.passages))

    def name_of(self, passage: Passage) -> str:
        """Return what is written for the speaker of a passage."""
        return self.names[passage.speaker]

    def line_of(self, passage: Passage) -> str:
        """Return a passage in one line: the name, and the text after it where there is a transcript."""
        name = one_line(self.name_of(passage))
        return name if passage.text is None else f"{name}: {one_line(passage.text)}"

    def rows(self) -> list[tuple[str, tuple[Passage, ...]]]:
        """Return the passages by speaker, each row under a name of its own and without overlaps.

        Annotation formats allow no overlap within a row, so a speaker whose passages overlap has more than one.
        """
        rows = []
        for speaker in self.speakers:
            own = [passage for passage in self.passages if passage.speaker == speaker]
            for number, row in enumerate(_without_overlap(own), 1):
                rows.append((self.names[speaker] + (f" ({number})" if number > 1 else ""), row))
        return rows


def passages_of(result: ResultDocument) -> tuple[Passage, ...]:
    """Return the turns of a result as passages without text."""
    return tuple(
        Passage(
            start=round(turn.start * 1000),
            end=round(turn.end * 1000),
            speaker=turn.speaker,
            confidence=turn.confidence,
            needs_review=result.engine.needs_review(turn),
        )
        for turn in result.turns
    )


def shown_names(labels: Iterable[str], identities: Sequence[SpeakerIdentity]) -> dict[str, str]:
    """Return what to write for each speaker: the name where there is one, otherwise the label.

    A name that belongs to two speakers, or is the label of another one, is followed by the speaker's label.
    """
    known = {identity.speaker: identity.name for identity in identities}
    names = {label: known.get(label) or label for label in labels}
    uses = Counter(names.values())
    return {label: name if uses[name] == 1 or name == label else f"{name} ({label})" for label, name in names.items()}


def one_line(text: str) -> str:
    """Return text with every run of white space, line breaks included, as one space."""
    return " ".join(text.split())


def clock(milliseconds: int, separator: str = ".") -> str:
    """Return `hh:mm:ss.mmm`."""
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{separator}{rest:03}"


def decimal_seconds(milliseconds: int) -> str:
    """Return seconds with three decimals."""
    return f"{milliseconds // 1000}.{milliseconds % 1000:03}"


def _without_overlap(passages: Sequence[Passage]) -> list[tuple[Passage, ...]]:
    """Return passages, which come by start, in as few rows without overlaps as possible."""
    rows: list[list[Passage]] = []
    for passage in passages:
        free = next((row for row in rows if row[-1].end <= passage.start), None)
        if free is None:
            rows.append([passage])
        else:
            free.append(passage)
    return [tuple(row) for row in rows]
