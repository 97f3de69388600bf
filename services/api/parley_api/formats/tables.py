"""Formats with a line per passage: CSV, RTTM, Audacity labels."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace

from parley_api.formats.conversation import Conversation, decimal_seconds
from parley_core.turns import to_rttm as rttm_lines

COLUMNS = ("start", "end", "speaker", "role", "confidence", "needs_review", "text")
FORMULA = re.compile(r"[\s\u200b\ufeff]*[=+\-@＝＋－＠]| *[\t\r\n]")
"""A cell that begins like this is a formula to a spreadsheet (OWASP, CSV injection)."""


def to_csv(conversation: Conversation) -> str:
    """Return CSV (RFC 4180) with a header. `'` stands before free text that a spreadsheet would run as a formula."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for passage in conversation.passages:
        review = passage.needs_review
        writer.writerow(
            (
                decimal_seconds(passage.start),
                decimal_seconds(passage.end),
                _inert(conversation.name_of(passage)),
                conversation.roles.get(passage.speaker, ""),
                "" if passage.confidence is None else f"{passage.confidence:.3f}",
                "" if review is None else str(review).lower(),
                _inert(passage.text or ""),
            )
        )
    return file.getvalue()


def to_rttm(conversation: Conversation) -> str:
    """Return NIST RTTM, a line per turn. Blanks in names are underscores, as blanks separate the fields."""
    names = {label: "_".join(name.split()) for label, name in conversation.names.items()}
    return rttm_lines((replace(turn, speaker=names[turn.speaker]) for turn in conversation.turns), conversation.job_id)


def to_audacity(conversation: Conversation) -> str:
    """Return a label track of Audacity: start, end and label, separated by tabs."""
    return "".join(
        f"{decimal_seconds(passage.start)}\t{decimal_seconds(passage.end)}\t{conversation.line_of(passage)}\n"
        for passage in conversation.passages
    )


def _inert(text: str) -> str:
    return f"'{text}" if FORMULA.match(text) else text
