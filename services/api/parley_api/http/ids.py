"""Ids in paths."""

from __future__ import annotations

from uuid import UUID

from parley_core.errors import JobNotFound, ParleyError


def require_id(text: str, absent: type[ParleyError] = JobNotFound, what: str = "job") -> str:
    """Return an id in the form that Parley writes; raise `absent` for text that is no UUID, without a store call."""
    try:
        return str(UUID(text))
    except ValueError:
        raise absent(f"There is no {what} with this id.") from None
