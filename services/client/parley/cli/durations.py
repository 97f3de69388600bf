"""Durations as people type and read them: `90s`, `10m`, `12h`, `30d`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
PATTERN = re.compile(r"(\d{1,6})([smhd])")  # six digits of days fit into a timedelta


def parse_duration(text: str) -> timedelta:
    """Return the duration that `10m` means. Raises ValueError with a sentence for people."""
    match = PATTERN.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError(f"{text!r} is not a duration. Write a whole number and s, m, h or d, as in 10m or 30d.")
    number, unit = match.groups()
    return timedelta(**{UNITS[unit]: int(number)})


def age(moment: datetime) -> timedelta:
    """Return the time since a moment."""
    return datetime.now(UTC) - moment


def format_duration(duration: timedelta) -> str:
    """Return a duration in its largest whole unit: `45s`, `12m`, `3h`, `8d`."""
    seconds = max(0, int(duration.total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
