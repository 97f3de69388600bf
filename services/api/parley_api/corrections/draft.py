"""Applies corrections to a result."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from parley_api.corrected_result import (
    CorrectedResult,
    DraftTurn,
    engine_turn_ids,
    exclusive_turns_of,
    lower,
    overlaps_of,
)
from parley_api.http.errors import InvalidCorrection
from parley_api.schemas.corrections import (
    AddTurn,
    ConfirmTurns,
    Correction,
    MergeSpeakers,
    MoveTurn,
    Operation,
    ReassignTurns,
    RemoveTurns,
    RenameSpeaker,
    SetRole,
    SplitSpeaker,
    SplitTurn,
)
from parley_core.result_document import DIGITS, ResultDocument
from parley_core.turns import Turn
from parley_core.voiceprints import Role

NUMBERED = re.compile(r"SPEAKER_(\d+)")
MAX_SPEAKERS = 200  # that corrections can make of a recording
MAX_DRAFT_TURNS = 50_000
CONFIRMED = 1.0  # confidence in a label that a person gave


def corrected(document: ResultDocument, version: int, counting: Iterable[Correction]) -> CorrectedResult:
    """Return a version of a result.

    Args:
        document: of the engine.
        version: number of all corrections.
        counting: those that count, in order.

    Raises:
        InvalidCorrection: one of them does not fit what those before it made.
    """
    draft = Draft(document)
    for correction in counting:
        draft.make(correction)
    return draft.result(version) if version else CorrectedResult.of_engine(document)


class Draft:
    """The turns of a result while corrections are applied to them.

    Turns of one speaker never overlap: where a correction would make them, they become one turn, under the id of the
    earlier one.
    """

    def __init__(self, document: ResultDocument) -> None:
        self._document = document
        self._turns: dict[str, DraftTurn] = {}
        self._by_speaker: defaultdict[str, dict[str, DraftTurn]] = defaultdict(dict)
        for turn_id, turn in zip(engine_turn_ids(len(document.turns)), document.turns, strict=True):
            self._keep(DraftTurn(turn_id, turn.start, turn.end, turn.speaker, turn.confidence, False, turn.speaker))
        self._names: dict[str, str | None] = {}
        self._roles: dict[str, Role | None] = {}
        self._version = 0
        self._made = 0
        numbers = [int(found[1]) for found in map(NUMBERED.fullmatch, document.speakers) if found]
        self._next_speaker = max(numbers, default=-1) + 1

    def make(self, correction: Correction) -> None:
        """Make all operations of a correction. Raises InvalidCorrection, and then the draft is of no use any more."""
        self._version, self._made = correction.version, 0
        for operation in correction.operations:
            self._apply(operation)
        for one in correction.redecided:
            turn = self._turn(one.turn)
            turn.confidence = one.confidence
            self._assign(turn, one.speaker)
        for speaker in {one.speaker for one in correction.redecided}:
            self._unite(speaker)

    @property
    def turns(self) -> list[DraftTurn]:
        """The turns by start."""
        return sorted(self._turns.values(), key=lambda turn: (turn.start, turn.end, turn.speaker))

    def result(self, version: int) -> CorrectedResult:
        """Return the draft as a version of the result."""
        turns = self.turns
        speakers = tuple(dict.fromkeys(turn.speaker for turn in turns))
        document = replace(
            self._document,
            speakers=speakers,
            turns=tuple(Turn(turn.start, turn.end, turn.speaker, turn.confidence) for turn in turns),
            exclusive_turns=exclusive_turns_of(turns, self._document.exclusive_turns),
            overlaps=overlaps_of(turns),
            speaker_count=self._document.speaker_count if set(speakers) == set(self._document.speakers) else None,
            purity={label: purity for label, purity in self._document.purity.items() if not self._touched(label)},
            roles={label: role for label, role in self._document.roles.items() if label in speakers},
            speaker_embeddings={
                label: vector for label, vector in self._document.speaker_embeddings.items() if label in speakers
            },
        )
        return CorrectedResult(
            version=version,
            document=document,
            turn_ids=tuple(turn.id for turn in turns),
            confirmed=frozenset(turn.id for turn in turns if turn.confirmed),
            names={label: name for label, name in self._names.items() if name is not None and label in speakers},
            roles={label: role for label, role in self._roles.items() if label in speakers},
        )

    def _touched(self, label: str) -> bool:
        """Return whether the turns of a speaker are others than the engine's, so that its doubt is outdated."""
        found = {(turn.start, turn.end) for turn in self._document.turns if turn.speaker == label}
        return found != {(turn.start, turn.end) for turn in self._by_speaker[label].values()}

    def _apply(self, operation: Operation) -> None:
        match operation:
            case RenameSpeaker():
                self._names[self._speaker(operation.speaker)] = operation.name
            case SetRole():
                self._roles[self._speaker(operation.speaker)] = operation.role
            case MergeSpeakers():
                self._merge(self._speaker(operation.speaker), self._speaker(operation.into))
            case SplitSpeaker():
                self._give(self._chosen(operation.turns), self._new_speaker())
            case ReassignTurns():
                self._give(self._chosen(operation.turns), self._speaker(operation.speaker))
            case ConfirmTurns():
                for turn in self._chosen(operation.turns):
                    turn.confirmed, turn.given, turn.confidence = True, True, CONFIRMED
            case SplitTurn():
                self._split(self._turn(operation.turn), operation.at)
            case MoveTurn():
                turn = self._turn(operation.turn)
                turn.start, turn.end = self._interval(operation.start, operation.end)
                self._unite(turn.speaker)
            case AddTurn():
                self._add(operation)
            case RemoveTurns():
                for turn in self._chosen(operation.turns):
                    self._drop(turn)

    def _merge(self, speaker: str, into: str) -> None:
        if speaker == into:
            raise InvalidCorrection("A speaker cannot be merged with itself.")
        for turn in list(self._by_speaker[speaker].values()):
            self._assign(turn, into)
        self._unite(into)

    def _give(self, turns: Sequence[DraftTurn], speaker: str) -> None:
        for turn in turns:
            turn.confidence, turn.confirmed, turn.given = CONFIRMED, True, True
            self._assign(turn, speaker)
        self._unite(speaker)

    def _split(self, turn: DraftTurn, at: float) -> None:
        moment = round(at, DIGITS)
        if not turn.start < moment < turn.end:
            raise InvalidCorrection(f"`at` must lie inside the turn, between {turn.start:g} and {turn.end:g} seconds.")
        self._keep(replace(turn, id=self._new_id(), start=moment))
        turn.end = moment

    def _add(self, operation: AddTurn) -> None:
        start, end = self._interval(operation.start, operation.end)
        speaker = self._new_speaker() if operation.speaker is None else self._speaker(operation.speaker)
        self._keep(DraftTurn(self._new_id(), start, end, speaker, CONFIRMED, True, None, True))
        self._unite(speaker)

    def _unite(self, speaker: str) -> None:
        """Make one turn of those of a speaker that overlap."""
        last: DraftTurn | None = None
        for turn in sorted(self._by_speaker[speaker].values(), key=lambda one: (one.start, one.end)):
            if last is None or turn.start >= last.end:
                last = turn
                continue
            last.end = max(last.end, turn.end)
            last.confirmed = last.confirmed and turn.confirmed
            last.given = last.given or turn.given
            last.confidence = lower(last.confidence, turn.confidence)
            self._drop(turn)

    def _keep(self, turn: DraftTurn) -> None:
        if len(self._turns) >= MAX_DRAFT_TURNS and turn.found_as is None:
            raise InvalidCorrection(f"A recording has at most {MAX_DRAFT_TURNS} turns.")
        self._turns[turn.id] = turn
        self._by_speaker[turn.speaker][turn.id] = turn

    def _drop(self, turn: DraftTurn) -> None:
        del self._turns[turn.id]
        del self._by_speaker[turn.speaker][turn.id]

    def _assign(self, turn: DraftTurn, speaker: str) -> None:
        del self._by_speaker[turn.speaker][turn.id]
        turn.speaker = speaker
        self._by_speaker[speaker][turn.id] = turn

    def _interval(self, start: float, end: float) -> tuple[float, float]:
        seconds = self._document.recording.seconds
        start, end = round(start, DIGITS), round(end, DIGITS)
        if not start < end <= seconds:
            raise InvalidCorrection(
                f"`start` must be less than `end`, and `end` at most the length of the recording: {seconds:g} seconds."
            )
        return start, end

    def _turn(self, turn_id: str) -> DraftTurn:
        turn = self._turns.get(turn_id)
        if turn is None:
            raise InvalidCorrection("This version has no turn with one of the ids of the correction.")
        return turn

    def _chosen(self, turn_ids: Sequence[str]) -> list[DraftTurn]:
        return [self._turn(turn_id) for turn_id in dict.fromkeys(turn_ids)]

    def _speaker(self, label: str) -> str:
        if not self._by_speaker.get(label):
            raise InvalidCorrection("This version has no speaker with one of the labels of the correction.")
        return label

    def _new_speaker(self) -> str:
        if sum(map(bool, self._by_speaker.values())) >= MAX_SPEAKERS:
            raise InvalidCorrection(f"A recording has at most {MAX_SPEAKERS} speakers.")
        label = f"SPEAKER_{self._next_speaker:02d}"
        self._next_speaker += 1
        return label

    def _new_id(self) -> str:
        self._made += 1
        return f"{self._version}-{self._made}"
