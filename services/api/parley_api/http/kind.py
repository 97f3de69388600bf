"""What the table of problems says of each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem.

    Attributes:
        status: the HTTP status.
        title: the problem in a few words.
        meaning: what happened, one sentence.
        action: what the caller can do, one or two sentences.
        retry_after: seconds after which the same request can succeed; None if it cannot.
    """

    status: int
    title: str
    meaning: str
    action: str
    retry_after: int | None = None
