"""A result with its corrections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from parley_core.result_document import ResultDocument
from parley_core.turns import Span, Turn
from parley_core.voiceprints import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectedResult:
    """One version of a result.

    Attributes:
        version: number of corrections that made it; 0 is the result of the engine.
        document: the result, with its turns as they are in this version.
        turn_ids: of the turns, in the same order.
        confirmed: ids of the turns whose speaker a person has confirmed or given.
        names: by label, as people gave them.
        roles: by label, as people gave them; None takes the role of a channel away.
    """

    version: int
    document: ResultDocument
    turn_ids: tuple[str, ...]
    confirmed: frozenset[str] = frozenset()
    names: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, Role | None] = field(default_factory=dict)

    @classmethod
    def of_engine(cls, document: ResultDocument) -> CorrectedResult:
        """Return the result as the engine made it."""
        return cls(version=0, document=document, turn_ids=tuple(engine_turn_ids(len(document.turns))))


@dataclass(slots=True)
class DraftTurn:
    """A turn while corrections are applied. Times are seconds, in whole milliseconds.

    Attributes:
        confirmed: whether a person gave or confirmed its speaker.
        found_as: label that the engine gave, None for a turn that a person added.
        given: whether a person gave or confirmed the speaker of a part of it: no voice moves it then.
    """

    id: str
    start: float
    end: float
    speaker: str
    confidence: float | None
    confirmed: bool
    found_as: str | None
    given: bool = False


def engine_turn_ids(number: int) -> Iterator[str]:
    """Yield the ids of the turns that an engine found, in their order."""
    return map(str, range(1, number + 1))


def overlaps_of(turns: Sequence[DraftTurn]) -> tuple[Span, ...]:
    """Return where two or more turns overlap, in order. Turns come by start."""
    found: list[Span] = []
    for start, end, active in _parts(turns, ()):
        if len(active) < 2:
            continue
        if found and found[-1].end == start:
            found[-1] = Span(found[-1].start, end)
        else:
            found.append(Span(start, end))
    return tuple(found)


def exclusive_turns_of(turns: Sequence[DraftTurn], engine: Sequence[Turn]) -> tuple[Turn, ...]:
    """Return the turns with at most one speaker at any time.

    Where turns overlap, the one that the engine chose speaks, or the longest one if that is gone.

    Args:
        turns: by start.
        engine: its own turns without overlaps.
    """
    found: list[Turn] = []
    place = 0
    for start, end, active in _parts(turns, [edge for turn in engine for edge in (turn.start, turn.end)]):
        while place < len(engine) and engine[place].end <= start:
            place += 1
        chosen = engine[place] if place < len(engine) and engine[place].start <= start else None
        own = [turn for turn in active if chosen is not None and turn.found_as == chosen.speaker]
        turn = max(own or active, key=lambda one: one.end - one.start)
        kept = chosen is not None and own and not turn.confirmed and turn.speaker == chosen.speaker
        confidence = chosen.confidence if chosen is not None and kept else turn.confidence
        last = found[-1] if found else None
        if last is not None and last.end == start and last.speaker == turn.speaker:
            found[-1] = Turn(last.start, end, last.speaker, lower(last.confidence, confidence))
        else:
            found.append(Turn(start, end, turn.speaker, confidence))
    return tuple(found)


def _parts(turns: Sequence[DraftTurn], edges: Sequence[float]) -> Iterator[tuple[float, float, list[DraftTurn]]]:
    """Yield the parts of the recording in which somebody speaks, with the turns of each; `edges` cut them further."""
    moments = sorted({*edges, *(turn.start for turn in turns), *(turn.end for turn in turns)})
    active: list[DraftTurn] = []
    place = 0
    for start, end in pairwise(moments):
        active = [turn for turn in active if turn.end > start]
        while place < len(turns) and turns[place].start <= start:
            active.append(turns[place])
            place += 1
        if active:
            yield start, end, active


def lower(one: float | None, other: float | None) -> float | None:
    """Return the lower of two confidences, None if one is unknown."""
    return None if one is None or other is None else min(one, other)
