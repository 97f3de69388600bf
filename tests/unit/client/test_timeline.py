"""Turns in the terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from parley import Turn
from parley.cli.timeline import clock, render_turns, timeline

TURNS = [Turn(0.0, 30.0, "SPEAKER_00"), Turn(45.0, 60.0, "SPEAKER_01"), Turn(50.0, 60.0, "SPEAKER_00")]


def rendered(turns: list[Turn], seconds: float, encoding: str = "utf-8") -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    render_turns(turns, seconds, Console(file=stream, width=60, highlight=False))
    stream.seek(0)
    return stream.read()


def test_each_turn_has_a_line_and_each_speaker_a_row() -> None:
    lines = rendered(TURNS, 60.0).splitlines()
    assert lines[:3] == [
        "     0.00     30.00  SPEAKER_00",
        "    45.00     60.00  SPEAKER_01",
        "    50.00     60.00  SPEAKER_00",
    ]
    assert [line.split()[0] for line in lines[4:6]] == ["SPEAKER_00", "SPEAKER_01"]
    assert lines[4].endswith("0:40  67%")
    assert lines[6].split() == ["0:00", "0:30", "1:00"]


def test_a_turn_that_needs_review_is_marked_and_counted() -> None:
    uncertain = Turn(45.0, 60.0, "SPEAKER_01", confidence=0.617, needs_review=True)
    certain = Turn(0.0, 30.0, "SPEAKER_00", confidence=0.998, needs_review=False)
    text = rendered([certain, uncertain], 60.0)
    assert "    45.00     60.00  SPEAKER_01  ? 0.62\n" in text
    assert "     0.00     30.00  SPEAKER_00\n" in text
    assert text.endswith("1 turn needs review (?): the speaker is uncertain.\n")
    assert rendered([uncertain, uncertain], 60.0).endswith("2 turns need review (?): the speaker is uncertain.\n")


def test_a_column_is_full_where_the_speaker_talks_and_only_there() -> None:
    first, second, _ = (
        str(row) for row in timeline(TURNS, 60.0, Console(width=len("SPEAKER_00 ") + 60 + len("  00:00:00 100%")))
    )
    assert first.split()[1] == "█" * 31 + "·" * 19 + "█" * 10
    assert second.split()[1] == "·" * 45 + "█" * 15


def test_a_short_turn_in_a_long_recording_still_shows() -> None:
    row = timeline([Turn(7000.0, 7000.1, "SPEAKER_00")], 14_400.0, Console(width=80))[0]
    assert str(row).count("█") == 1


def test_a_recording_without_speech_has_a_sentence() -> None:
    assert rendered([], 61.0) == "Nobody speaks in this recording of 1:01.\n"


def test_a_terminal_without_unicode_gets_ascii() -> None:
    text = rendered(TURNS, 60.0, encoding="ascii")
    assert "#" in text
    assert text.isascii()


def test_a_pipe_gets_no_colours() -> None:
    assert "\x1b" not in rendered(TURNS, 60.0)


def test_a_terminal_gets_one_colour_per_speaker() -> None:
    stream = io.StringIO()
    render_turns(TURNS, 60.0, Console(file=stream, force_terminal=True, color_system="standard", width=60))
    assert "\x1b[36mSPEAKER_00" in stream.getvalue()
    assert "\x1b[35mSPEAKER_01" in stream.getvalue()


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (3599, "59:59"), (3661, "1:01:01")])
def test_times_read_like_a_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
