"""SubRip and WebVTT.

Written here, as pysubs2 takes `{` and `\\N` in names and text for its own markup and loses them, and neither it nor
webvtt-py writes voices with references for `<`, `>` and `&`.
"""

from __future__ import annotations

import re

from parley_api.formats.conversation import Conversation, clock, one_line

# SubRip has no escapes. A word joiner, which is invisible, keeps players from reading names and words as markup or as
# the times of a cue; FFmpeg writes the same character for the same purpose.
WORD_JOINER = "\u2060"
MARKUP = re.compile(r"<(?=[A-Za-z/])|\{(?=\\)|--(?=>)|:\d\d?(?=[.,]\d)")


def to_srt(conversation: Conversation) -> str:
    """Return SubRip: a cue per passage, with the speaker before the text."""
    cues = []
    for number, passage in enumerate(conversation.passages, 1):
        text = MARKUP.sub(lambda found: found.group() + WORD_JOINER, conversation.line_of(passage))
        cues.append(f"{number}\n{clock(passage.start, ',')} --> {clock(passage.end, ',')}\n{text}\n\n")
    return "".join(cues)


def to_vtt(conversation: Conversation) -> str:
    """Return WebVTT: a cue per passage, with the speaker as its voice.

    Without a transcript the cue shows the speaker's name, as players do not show voices.
    """
    cues = ["WEBVTT\n\n"]
    for passage in conversation.passages:
        name = _escaped(conversation.name_of(passage))
        said = name if passage.text is None else _escaped(passage.text)
        cues.append(f"{clock(passage.start)} --> {clock(passage.end)}\n<v {name}>{said}</v>\n\n")
    return "".join(cues)


def _escaped(text: str) -> str:
    return one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
