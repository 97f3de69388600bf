"""Job ids: UUIDs of version 7, whose time says when the job was submitted."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from functools import lru_cache
from uuid import UUID

VERSION_7, VARIANT = 0x7, 0b10  # RFC 9562, 5.7: 48 bits of milliseconds, then 74 random bits
UNDATED = "undated"  # folder of ids that carry no time


def new_id() -> str:
    """Return a fresh id."""
    milliseconds, random_bits = time.time_ns() // 1_000_000, secrets.randbits(74)
    number = milliseconds << 80 | VERSION_7 << 76 | (random_bits >> 62) << 64 | VARIANT << 62
    return str(UUID(int=number | random_bits & (1 << 62) - 1))


def made_at(job_id: str) -> datetime:
    """Return the UTC time in an id. Raises ValueError for an id that is not a UUID of version 7."""
    identifier = UUID(job_id)
    if identifier.version != VERSION_7:
        raise ValueError("the id carries no time")
    return datetime.fromtimestamp((identifier.int >> 80) / 1000, UTC)


@lru_cache(maxsize=4096)  # the objects of a job are named one after another
def day_of(job_id: str) -> str:
    """Return the UTC day of an id, `2026-11-27`: objects are kept in folders by day, so that a day can be listed."""
    try:
        return made_at(job_id).date().isoformat()
    except ValueError:
        return UNDATED


def first_id_of(moment: datetime) -> str:
    """Return the beginning of the ids of a moment: in the order of text, all ids made before come before it."""
    digits = f"{max(0, round(moment.timestamp() * 1000)):012x}"
    return f"{digits[:8]}-{digits[8:]}"


def accepted_at(job_id: str) -> datetime:
    """Return when a job was submitted by its id, and now for an id that carries no time."""
    try:
        return made_at(job_id)
    except ValueError:
        return datetime.now(UTC)
