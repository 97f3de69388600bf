"""Names of jobs and recordings."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from uuid import UUID

from parley_core.errors import JobNotFound, ParleyError

VERSION_7, VARIANT = 0x7, 0b10  # RFC 9562, 5.7: 48 bits of milliseconds, then 74 of chance


def new_id() -> str:
    """Return a fresh UUID (version 7) whose time says when it was made: a journalled job has no other clock."""
    milliseconds, chance = time.time_ns() // 1_000_000, secrets.randbits(74)
    number = milliseconds << 80 | VERSION_7 << 76 | (chance >> 62) << 64 | VARIANT << 62 | chance & (1 << 62) - 1
    return str(UUID(int=number))


def made_at(identifier: str) -> datetime:
    """Return the UTC time that is in an id of `new_id`."""
    return datetime.fromtimestamp((UUID(identifier).int >> 80) / 1000, UTC)


def require_id(text: str, absent: type[ParleyError] = JobNotFound, what: str = "job") -> str:
    """Return an id as we write them; raise `absent` for what cannot be one: it is asked of no store."""
    try:
        return str(UUID(text))
    except ValueError:
        raise absent(f"There is no {what} with this id.") from None
