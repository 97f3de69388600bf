"""What the server says, understood or refused; and names as parts of an address."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

from parley.errors import UnexpectedAnswer

Document = Mapping[str, Any]
"""A JSON object as the server sent it."""

T = TypeVar("T")


def understand(document: Document, build: Callable[[Document], T]) -> T:
    """Return what `build` makes of a document. Raises UnexpectedAnswer when that is not possible."""
    try:
        return build(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise unexpected(repr(error)) from error


def unexpected(what: str) -> UnexpectedAnswer:
    """Return the error for an answer that is none of Parley's."""
    return UnexpectedAnswer(
        f"The answer is not one of Parley's ({what}). Does PARLEY_URL name a Parley server of the same major version?"
    )


def segment(identifier: str) -> str:
    """Return an id as one path segment, whatever somebody typed."""
    return quote(identifier, safe="")
