"""The scores of whole speakers: merges and surplus labels."""

from __future__ import annotations

import pytest

from benchmarks.scoring.speakers import foreign_turns, shared_labels, surplus_labels
from parley_core.turns import Turn

REFERENCE = [Turn(0, 10, "ann"), Turn(10, 14, "ben"), Turn(13, 15, "ann")]


@pytest.mark.parametrize(
    ("found", "shared"),
    [
        ([Turn(0, 15, "a")], {"a": 3.0}),
        ([Turn(0, 10.5, "a"), Turn(10.5, 14, "b")], {}),
        ([Turn(0, 11, "a"), Turn(11, 14, "b")], {"a": 1.0}),
        ([Turn(0, 10, "a"), Turn(13, 15, "a")], {}),
        ([Turn(0, 10, "a"), Turn(10, 14, "b"), Turn(20, 30, "c")], {}),
        ([], {}),
    ],
    ids=["everybody", "an-eighth", "a-quarter", "while-the-owner-speaks", "silence", "nothing"],
)
def test_a_label_is_shared_from_a_fifth_of_somebodys_speech(found: list[Turn], shared: dict[str, float]) -> None:
    assert shared_labels(REFERENCE, found) == pytest.approx(shared)


def test_a_second_label_of_a_person_and_one_of_nobody_are_surplus() -> None:
    found = [Turn(0, 6, "a"), Turn(6, 10, "second"), Turn(10, 14, "b"), Turn(20, 21, "nobody")]
    assert surplus_labels(REFERENCE, found) == {"second", "nobody"}
    assert surplus_labels(REFERENCE, found[::2]) == set()


def test_a_turn_is_foreign_if_most_of_it_is_somebody_elses_while_the_owner_of_the_label_is_silent() -> None:
    found = [Turn(0, 9, "a"), Turn(9, 11.5, "a"), Turn(11.5, 13, "a"), Turn(13, 14, "a"), Turn(20, 21, "a")]
    assert foreign_turns(REFERENCE, found) == [False, True, True, False, False]
