"""Turns and transcripts as other programs and people read them: one module per kind of file."""

from parley_api.formats.choice import BY_NAME, FORMATS, JSON, Format, negotiated
from parley_api.formats.conversation import Conversation, Passage, shown_names

__all__ = ["BY_NAME", "FORMATS", "JSON", "Conversation", "Format", "Passage", "negotiated", "shown_names"]
