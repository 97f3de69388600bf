"""Turns as people and tools read them."""

from __future__ import annotations

from parley_core.turns import Diarization, Span, Turn, merge_spans, to_rttm

TURNS = (Turn(0.5, 2.0, "SPEAKER_00"), Turn(1.5, 3.25, "SPEAKER_01"), Turn(4.0, 5.0, "SPEAKER_00"))


def test_rttm_has_one_line_of_ten_fields_per_turn() -> None:
    lines = to_rttm(TURNS, "job-1").splitlines()
    assert lines[1] == "SPEAKER job-1 1 1.500 1.750 <NA> <NA> SPEAKER_01 <NA> <NA>"
    assert [len(line.split()) for line in lines] == [10, 10, 10]


def test_no_turns_are_an_empty_rttm() -> None:
    assert to_rttm((), "job-1") == ""


def test_touching_and_nested_stretches_become_one() -> None:
    spans = merge_spans([Span(3, 4), Span(0, 2), Span(0.5, 1), Span(2, 3)])
    assert spans == [Span(0, 4)]


def test_speakers_are_in_order_of_appearance() -> None:
    assert Diarization(TURNS, TURNS, ()).speakers == ("SPEAKER_00", "SPEAKER_01")
