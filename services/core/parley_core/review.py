"""Which turns a person should look at: those in which the engine trusts itself less than it says a reader should.

The bound stands among the engine's parameters, so a result is judged by the engine that made it, whoever reads it when.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

REVIEW_BELOW = "review_below"  # confidence; name of the bound among an engine's parameters


def needs_review(confidence: float | None, parameters: Mapping[str, Any]) -> bool | None:
    """Say whether a turn needs a look; None where its engine does not know how sure it is.

    Args:
        confidence: of the turn, 0 to 1.
        parameters: of the engine that made it.
    """
    below = parameters.get(REVIEW_BELOW)
    return None if confidence is None or below is None else confidence < below
