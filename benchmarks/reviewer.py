"""How much of the confusion ten answers of a person remove: `python -m benchmarks.reviewer SETS`.

SETS is a folder that `python -m benchmarks.data.sets` writes, with one folder of labelled recordings per condition. A
simulated reviewer answers the first question of the API, up to ten per recording, and the rest is decided again by
voice. The reviewer knows who speaks in a turn and in the examples of the speakers, and nothing else; a turn without a
speaker who has 70 % of its speech is skipped, and counts as a question. For comparison, the same reviewer answers about
the turns that need review, and nothing follows by voice.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.data.audio import labelled, read_audio
from benchmarks.scoring.der import errors, read_rttm
from parley_api.corrections.draft import Draft
from parley_api.corrections.voiced_draft import VoicedDraft
from parley_api.schemas.corrections import ConfirmTurns, Correction, MergeSpeakers, ReassignTurns, SplitSpeaker
from parley_api.schemas.questions import Question
from parley_core.job import SpeakerBounds
from parley_core.result_document import DiarizedRecording, ResultDocument
from parley_core.turns import Diarization, EngineInfo, Turn
from parley_worker.engines.onnx import OnnxEngine

QUESTIONS = 10
CLEAR = 0.7  # share of a turn's speech that its main speaker needs, for a listener to answer
STEPS = (1, 3, 5, 10)  # answers after which the confusion is printed
Change = ConfirmTurns | MergeSpeakers | ReassignTurns | SplitSpeaker


@dataclass(frozen=True, slots=True)
class Case:
    """A recording: who speaks when, and what the engine found."""

    reference: list[Turn]
    found: Diarization
    seconds: float


class Review:
    """A result that a reviewer corrects."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._document = ResultDocument(
            job_id="",
            recording=DiarizedRecording("", case.seconds),
            speakers=case.found.speakers,
            turns=case.found.turns,
            exclusive_turns=case.found.exclusive_turns,
            overlaps=case.found.overlaps,
            engine=EngineInfo("onnx", "0"),
        )
        self._made: list[Correction] = []
        self._skipped: set[tuple[str, ...]] = set()
        self.slowest = 0.0

    def confusion(self) -> float:
        """Return the seconds with a wrong speaker."""
        turns = [Turn(turn.start, turn.end, turn.speaker) for turn in self._draft().turns]
        return errors(self._case.reference, turns).confusion

    def answer(self) -> None:
        """Answer the first question."""
        voices = self._case.found.voices
        assert voices is not None, "the default engine has voices"
        began = time.process_time()
        voiced = VoicedDraft.of(voices, self._document, self._draft())
        asked = voiced.questions() if voiced else []
        self.slowest = max(self.slowest, time.process_time() - began)
        question = next((one for one in asked if self._key(one) not in self._skipped), None)
        if question is None:
            return
        self._skipped.add(self._key(question))
        change = self._same(question) if question.kind == "same_person" else self._speaker(question)
        if change is not None:
            self._make(change, by_voice=True)

    def answer_to_review(self, review_below: float) -> None:
        """Answer about the longest of the turns that need review, as without voices."""
        draft = self._draft()
        confidence = [turn.confidence or 0.0 for turn in self._document.turns]
        doubt = {str(number): one for number, one in enumerate(confidence, 1) if one < review_below}
        left = [one for one in draft.turns if one.id in doubt and not one.confirmed and (one.id,) not in self._skipped]
        if left:
            turn = max(left, key=lambda one: (1 - doubt[one.id]) * (one.end - one.start))
            self._skipped.add((turn.id,))
            examples = {one.speaker: one.id for one in sorted(draft.turns, key=lambda one: one.end - one.start)}
            change = self._given(turn.id, turn.speaker, list(examples.items()))
            if change is not None:
                self._make(change, by_voice=False)

    def _speaker(self, question: Question) -> Change | None:
        examples = [(one.speaker, one.example) for one in question.candidates if one.example]
        return self._given(question.turn, question.speaker, examples)

    def _given(self, turn: str, present: str, examples: Sequence[tuple[str, str]]) -> Change | None:
        """Return the answer of somebody who hears the turn, and an example of each speaker."""
        person = self._person(turn, CLEAR)
        if person is None:
            return None
        right = [speaker for speaker, example in examples if example != turn and self._person(example) == person]
        alone = present not in dict(examples) or dict(examples)[present] == turn
        if present in right or (alone and not right):
            return ConfirmTurns(operation="confirm_turns", turns=[turn])
        if right:
            return ReassignTurns(operation="reassign_turns", turns=[turn], speaker=right[0])
        return SplitSpeaker(operation="split_speaker", turns=[turn])

    def _same(self, question: Question) -> Change:
        (other,) = question.candidates
        assert other.example is not None, "a question about two speakers has an example of each"
        if self._person(question.turn) == self._person(other.example):
            return MergeSpeakers(operation="merge_speakers", speaker=question.speaker, into=other.speaker)
        return ConfirmTurns(operation="confirm_turns", turns=[question.turn, other.example])

    def _make(self, change: Change, by_voice: bool) -> None:
        new = Correction(
            version=len(self._made) + 1, author="reviewer", created_at=datetime.now(UTC), operations=(change,)
        )
        draft = self._draft()
        draft.make(new)
        voices = self._case.found.voices
        voiced = VoicedDraft.of(voices, self._document, draft) if by_voice and voices else None
        self._made.append(new.model_copy(update={"redecided": voiced.decided_again()}) if voiced else new)

    def _draft(self) -> Draft:
        draft = Draft(self._document)
        for correction in self._made:
            draft.make(correction)
        return draft

    def _person(self, turn_id: str, clear: float = 0.0) -> str | None:
        """Return who speaks most in a turn, None if that is not clear."""
        turn = self._document.turns[int(turn_id) - 1]
        spoken: Counter[str] = Counter()
        for true in self._case.reference:
            spoken[true.speaker] += max(0, min(turn.end, true.end) - max(turn.start, true.start))  # type: ignore[assignment]
        person, seconds = spoken.most_common(1)[0]
        return person if seconds > 0 and seconds >= clear * spoken.total() else None

    @staticmethod
    def _key(question: Question) -> tuple[str, ...]:
        same = question.kind == "same_person"
        return (question.turn, *(one.example or "" for one in question.candidates if same))


def main(sets: Path) -> None:
    """Print the confusion after some answers, per condition and in all."""
    engine = OnnxEngine()
    bound = engine.info.review_below or 0.0
    table = Table(
        "condition", "seconds", *(f"after {number}" for number in STEPS), "without voices", "more, in seconds"
    )
    total: list[list[float]] = []
    slowest = 0.0
    for folder in sorted(place for place in sets.iterdir() if place.is_dir()):
        rows = []
        for case in _cases(engine, folder):
            review, plain = Review(case), Review(case)
            course = [review.confusion()]
            for _ in range(QUESTIONS):
                review.answer()
                plain.answer_to_review(bound)
                course.append(review.confusion())
            rows.append(
                [course[0], *(course[step] for step in STEPS), plain.confusion(), max(0, course[-1] - course[0])]
            )
            slowest = max(slowest, review.slowest)
        total += rows
        table.add_row(folder.name, *(f"{value:.1f}" for value in np.sum(rows, axis=0)))
    sums = np.sum(total, axis=0)
    table.add_row("all", *(f"{value:.1f}" for value in sums))
    Console(width=120).print(table)
    worse = sum(row[-1] > 0.05 for row in total)
    gone = ", ".join(
        f"{100 * (1 - value / sums[0]):.0f} % after {step}" for step, value in zip(STEPS, sums[1:], strict=False)
    )
    print(f"{len(total)} recordings. Confusion gone: {gone}; {100 * (1 - sums[-2] / sums[0]):.0f} % without voices.")
    print(f"{worse} recordings have more confusion than before. The slowest questions took {1000 * slowest:.0f} ms.")


def _cases(engine: OnnxEngine, folder: Path) -> Iterator[Case]:
    for path in labelled(folder):
        waveform = read_audio(path)
        found = engine.diarize(waveform, SpeakerBounds(), lambda _phase, _share: None)
        if found.turns:
            yield Case(read_rttm(path.with_suffix(".rttm")), found, len(waveform) / 16_000)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
