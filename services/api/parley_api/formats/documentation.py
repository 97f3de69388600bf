"""The formats in /openapi.json, each with an example."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from parley_api.formats.choice import FORMATS
from parley_api.formats.conversation import Conversation, Passage
from parley_api.schemas import examples
from parley_core.turns import Turn

TURNS = examples.TURNS["turns"]
EXAMPLE = Conversation(
    job_id=examples.JOB_ID,
    ended_at=datetime(2025, 11, 25, 5, 0, 4, tzinfo=UTC),
    milliseconds=61_200,
    turns=tuple(Turn(turn["start"], turn["end"], turn["speaker"]) for turn in TURNS),
    passages=tuple(
        Passage(
            round(turn["start"] * 1000),
            round(turn["end"] * 1000),
            turn["speaker"],
            None,
            turn["confidence"],
            turn["needs_review"],
        )
        for turn in TURNS
    ),
    has_text=False,
    names={label: label for label in examples.TURNS["speakers"]},
)


def contents() -> dict[str, Any]:
    """Return the content of a response by media type, except that of Parley's own JSON."""
    return {
        one.media_type: {"schema": {"type": "string", "description": one.title}, "example": one.write(EXAMPLE)}
        for one in FORMATS
        if one.write is not None
    }
