"""The diarization error rate, in cases that can be counted by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.scoring.der import Errors, errors, read_rttm
from parley_core.turns import Span, Turn, to_rttm

TRUE = [Turn(0, 10, "anna"), Turn(10, 15, "bert")]


def parts(found: Errors) -> tuple[float, float, float, float]:
    return found.total, found.missed, found.false_alarm, found.confusion


def test_the_right_turns_under_other_names_are_no_error() -> None:
    assert parts(errors(TRUE, [Turn(0, 10, "x"), Turn(10, 15, "y")])) == (15, 0, 0, 0)


def test_no_turns_are_all_missed() -> None:
    assert parts(errors(TRUE, [])) == (15, 15, 0, 0)


def test_speech_where_nobody_speaks_is_a_false_alarm_beyond_the_reference_too() -> None:
    assert parts(errors(TRUE, [Turn(0, 10, "x"), Turn(10, 18, "y")])) == (15, 0, 3, 0)


def test_one_speaker_for_two_people_is_confusion_for_the_shorter_one() -> None:
    assert parts(errors(TRUE, [Turn(0, 15, "x")])) == (15, 0, 0, 5)


def test_a_split_speaker_keeps_the_longer_half() -> None:
    assert parts(errors(TRUE, [Turn(0, 6, "x"), Turn(6, 10, "z"), Turn(10, 15, "y")])) == (15, 0, 0, 4)


def test_overlapped_speech_counts_once_per_person() -> None:
    both = [Turn(0, 10, "anna"), Turn(4, 6, "bert")]
    assert parts(errors(both, [Turn(0, 10, "x")])) == (12, 2, 0, 0)
    assert parts(errors(both, [Turn(0, 10, "x"), Turn(4, 7, "y")])) == (12, 0, 1, 0)


def test_speakers_are_mapped_for_the_longest_agreement() -> None:
    """x shares 6 s with anna and 5 s with bert, y 5 s with anna alone: together x-bert and y-anna agree for longer."""
    true = [Turn(0, 11, "anna"), Turn(11, 16, "bert")]
    found = [Turn(0, 6, "x"), Turn(6, 11, "y"), Turn(11, 16, "x")]
    assert parts(errors(true, found)) == (16, 0, 0, 6)


def test_two_turns_of_one_speaker_at_once_are_one_speaker() -> None:
    assert parts(errors(TRUE, [Turn(0, 8, "x"), Turn(5, 10, "x"), Turn(10, 15, "y")])) == (15, 0, 0, 0)


def test_only_the_given_part_is_scored() -> None:
    assert parts(errors(TRUE, [Turn(-2, 10, "x"), Turn(12, 20, "y")], inside=Span(5, 14))) == (9, 2, 0, 0)


def test_a_collar_leaves_out_what_lies_near_a_boundary_of_the_reference() -> None:
    late = [Turn(0.2, 10.4, "x"), Turn(10.4, 15, "y")]
    assert parts(errors(TRUE, late)) == pytest.approx((15, 0.2, 0, 0.4))
    assert parts(errors(TRUE, late, collar=0.25)) == pytest.approx((14, 0, 0, 0.15))


def test_a_collar_does_not_stand_around_boundaries_of_the_hypothesis() -> None:
    assert parts(errors(TRUE, [Turn(0, 5, "x"), Turn(6, 10, "x"), Turn(10, 15, "y")], collar=0.25))[1] == 1


def test_recordings_add_up_by_their_time_not_by_their_rate() -> None:
    good, bad = errors(TRUE, [Turn(0, 10, "x"), Turn(10, 15, "y")]), errors([Turn(0, 5, "anna")], [])
    assert (good.rate, bad.rate, (good + bad).rate) == (0, 100, 25)


def test_without_speech_there_is_no_rate() -> None:
    assert errors([], []) == Errors()
    with pytest.raises(ZeroDivisionError):
        _ = errors([], [Turn(0, 1, "x")]).rate


def test_an_rttm_file_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "job.rttm"
    path.write_text(";; a comment\n" + to_rttm(TRUE, "job"))
    assert read_rttm(path) == TRUE
