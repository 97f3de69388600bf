"""The table of conditions: what it counts, on results that are wrong in a known way."""

from __future__ import annotations

import pytest

from benchmarks.engines.conditions import Outcome, scored_turns, table
from parley_core.turns import Turn

REFERENCE = [Turn(0, 8, "ann"), Turn(8, 10, "ben")]
RIGHT = [Turn(0, 8, "a", 0.9), Turn(8, 10, "b", 0.9)]
MERGED = [Turn(0, 10, "a", 0.8)]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_row_counts_what_is_wrong_and_what_is_not_said() -> None:
    outcomes = [Outcome(REFERENCE, RIGHT, warned=True), Outcome(REFERENCE, MERGED, warned=False)]
    _, _, calm, noise, everything = table({"calm": outcomes, "noise": outcomes[:1]})
    assert cells(calm) == ["calm", "10.0", "0.0", "0.0", "10.0", "1 of 2", "1", "1", "1", "1 of 1", "0.050"]
    assert cells(noise) == ["noise", "0.0", "0.0", "0.0", "0.0", "0 of 1", "0", "0", "0", "1 of 1", "0.100"]
    assert cells(everything)[5:10] == ["1 of 3", "1", "1", "1", "2 of 2"]


def test_the_share_of_a_turn_that_is_right_is_that_with_the_speaker_of_its_label() -> None:
    assert scored_turns([Outcome(REFERENCE, MERGED, warned=False)]).right == pytest.approx([0.8])
