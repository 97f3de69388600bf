"""Durations as people type and read them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from parley.cli.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"), [("0s", 0), ("90s", 90), ("10m", 600), ("12h", 43_200), ("30d", 2_592_000), (" 5M ", 300)]
)
def test_a_number_and_a_unit_are_a_duration(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "10", "m", "1.5h", "-3d", "10m30s", "3 weeks", "99999999d"])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="as in 10m or 30d"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59, "59s"), (60, "1m"), (7300, "2h"), (200_000, "2d"), (-5, "0s")]
)
def test_the_largest_whole_unit_is_shown(seconds: int, text: str) -> None:
    assert format_duration(timedelta(seconds=seconds)) == text
