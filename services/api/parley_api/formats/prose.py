"""Plain text and Markdown."""

from __future__ import annotations

import re

from parley_api.formats.conversation import Conversation, clock, one_line

MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~&:])")


def to_text(conversation: Conversation) -> str:
    """Return a line per passage: `[00:00:00.412 - 00:00:03.874] SPEAKER_00: Good morning.`"""
    return "".join(
        f"[{clock(passage.start)} - {clock(passage.end)}] {conversation.line_of(passage)}\n"
        for passage in conversation.passages
    )


def to_markdown(conversation: Conversation) -> str:
    """Return a paragraph per passage. Characters with a meaning in Markdown are escaped."""
    paragraphs = []
    for passage in conversation.passages:
        name = _escaped(conversation.name_of(passage))
        text = "" if passage.text is None else f"\n{_escaped(passage.text)}"
        paragraphs.append(f"**{name}** ({clock(passage.start)} - {clock(passage.end)}){text}\n")
    return "\n".join(paragraphs)


def _escaped(text: str) -> str:
    return MARKDOWN.sub(r"\\\1", one_line(text))
