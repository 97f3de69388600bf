"""The voices of a result with its corrections: what is decided again after an answer, and what to ask next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from parley_api.corrected_result import DraftTurn, engine_turn_ids
from parley_api.corrections import redecision
from parley_api.corrections.draft import Draft
from parley_api.corrections.redecision import Weighed, decided_again, examples
from parley_api.corrections.voice_model import Numbers, Voiced, at_once, noise_of, probabilities
from parley_api.schemas.corrections import Redecided
from parley_api.schemas.questions import Candidate, Question
from parley_core.ports import RecordingStore
from parley_core.recording import voices_key
from parley_core.result_document import ResultDocument
from parley_core.turn_voices import PER_SECOND, STEPS, TurnVoices

UNKNOWN = 0.9  # confidence in turns whose engine states none
SUREST = 0.99  # confidence that a voice alone can give
LEAST_ALONE = 0.3  # seconds of a turn; below, the engine makes its vector of two voices
DIGITS = 3  # of confidences and seconds
MOST = 20  # questions of one answer


@dataclass(frozen=True, slots=True)
class VoicedDraft:
    """The turns of a draft, with the voices of those that the engine found."""

    turns: Sequence[DraftTurn]
    labels: Sequence[str]
    voiced: Voiced

    @classmethod
    def read(cls, objects: RecordingStore, key: str, document: ResultDocument, draft: Draft) -> VoicedDraft | None:
        """Return the draft with the voices that are stored beside the result; None if there are none. Blocks."""
        try:
            stored = TurnVoices.from_bytes(objects.read(voices_key(key)))
        except KeyError:
            return None
        return cls.of(stored, document, draft)

    @classmethod
    def of(cls, stored: TurnVoices, document: ResultDocument, draft: Draft) -> VoicedDraft | None:
        """Return the draft with the voices of the engine's turns; None without turns."""
        turns = draft.turns
        if not turns:
            return None
        labels = list(dict.fromkeys(turn.speaker for turn in turns))
        places = dict(zip(engine_turn_ids(len(document.turns)), range(len(document.turns)), strict=True))
        rows = np.array([places.get(turn.id, -1) for turn in turns])
        vectors, speech = _arrays(stored)
        found = [turn.found_as if turn.found_as in labels else turn.speaker for turn in turns]
        confidence = [turn.confidence for turn in document.turns]
        voiced = Voiced(
            vectors=vectors[rows],
            noise=noise_of(speech[rows]),
            alone=np.append(_alone(document) >= LEAST_ALONE, False)[rows],
            seconds=np.array([turn.end - turn.start for turn in turns]),
            confidence=np.array([_known(confidence[row]) if row >= 0 else UNKNOWN for row in rows.tolist()]),
            found=np.array([labels.index(label) for label in found]),
            speaker=np.array([labels.index(turn.speaker) for turn in turns]),
            given=np.array([turn.given for turn in turns]),
            speakers=len(labels),
            at_once=at_once(np.array([turn.start for turn in turns]), np.array([turn.end for turn in turns])),
        )
        return cls(turns, labels, voiced)

    def decided_again(self) -> tuple[Redecided, ...]:
        """Return the turns whose speaker follows from what people have said. None of them is one that people gave."""
        after = decided_again(self.voiced)
        changed = np.flatnonzero(after.speaker != self.voiced.speaker).tolist()
        probable = probabilities(after)
        return tuple(
            Redecided(
                turn=self.turns[turn].id,
                speaker=self.labels[after.speaker[turn]],
                confidence=round(min(SUREST, float(probable[turn, after.speaker[turn]])), DIGITS),
            )
            for turn in changed
        )

    def questions(self) -> list[Question]:
        """Return the most useful questions, the best one first."""
        return [self._question(one) for one in redecision.questions(self.voiced)[:MOST]]

    def _question(self, weighed: Weighed) -> Question:
        by_example = examples(self.voiced, without=weighed.turn)
        if weighed.example is not None:
            by_example[weighed.candidates[0]] = weighed.example
        candidates = [
            Candidate(speaker=self.labels[one], example=self.turns[by_example[one]].id if one in by_example else None)
            for one in weighed.candidates
        ]
        turn = self.turns[weighed.turn]
        kind = "speaker_of_turn" if weighed.example is None else "same_person"
        return Question(
            kind=kind,
            turn=turn.id,
            speaker=turn.speaker,
            candidates=candidates,
            seconds=round(weighed.seconds, DIGITS),
        )


def _arrays(stored: TurnVoices) -> tuple[Numbers, Numbers]:
    """Return the vectors and the seconds of speech, with a last row for turns that have no voice."""
    vectors = np.frombuffer(stored.vectors, np.int8).reshape(-1, stored.dimensions) / STEPS
    speech = np.frombuffer(stored.speech, np.uint8) / PER_SECOND
    return np.pad(vectors, ((0, 1), (0, 0))), np.pad(speech, (0, 1))


def _alone(document: ResultDocument) -> Numbers:
    """Return the seconds of each of the engine's turns in which nobody else speaks."""
    edges = np.array([edge for span in document.overlaps for edge in (span.start, span.end)] or [0.0])
    shared = np.concatenate([[0.0], np.cumsum(np.diff(edges) * (np.arange(len(edges) - 1) % 2 == 0))])
    start, end = (np.array([getattr(turn, name) for turn in document.turns]) for name in ("start", "end"))
    return np.asarray(end - start - np.interp(end, edges, shared) + np.interp(start, edges, shared))


def _known(confidence: float | None) -> float:
    return UNKNOWN if confidence is None else confidence
