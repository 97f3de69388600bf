"""How much silence is due before sound of a time."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from parley_audio.reading.clock import Clock


def silences(times: Sequence[float | None], runs: bool = True, lead: float = 0.0) -> list[float]:
    """Return the silence before each second of sound, for its timestamps."""
    clock = Clock(runs, lead)
    found = []
    for time in times:
        found.append(round(clock.silence_before(time), 3))
        clock.advance(1.0)
    assert clock.position == pytest.approx(len(times) + sum(found))
    return found


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([0, 1, 5, 6], [0, 0, 3, 0]),
        ([30, 31, 35], [0, 0, 3]),
        ([None, 1, None, 5], [0, 0, 0, 2]),
        ([0, 1.015, 2.015, 3.03], [0, 0, 0, 0.03]),
        ([0, 0.8, 1.6, 3.2], [0, 0, 0, 0.2]),
        ([0, 1, 700, 701, 705], [0, 0, 0, 0, 3]),
        ([0, 1, 2, 0, 1, 5], [0, 0, 0, 0, 0, 3]),
        ([0, 0, 0], [0, 0, 0]),
    ],
    ids=["gap", "late", "unknown", "small errors", "overlap", "broken clock", "new clock", "no clock"],
)
def test_a_gap_is_due_in_full_and_what_no_recorder_writes_is_not(
    times: Sequence[float | None], expected: list[float]
) -> None:
    assert silences(times) == expected


def test_other_containers_have_no_clock() -> None:
    assert silences([0, 5, 10], runs=False, lead=3) == [0, 0, 0]


@pytest.mark.parametrize(("lead", "expected"), [(1.5, 1.5), (0.01, 0), (-1.5, 0), (3600, 0)])
def test_sound_begins_as_much_later_as_another_stream_begins_earlier(lead: float, expected: float) -> None:
    assert silences([7, 8, 9], lead=lead) == [expected, 0, 0]
