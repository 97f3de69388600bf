"""SubRip and WebVTT as recognisers and people write them.

Read here, because libraries skip a cue that they cannot read (webvtt-py, pysubs2), and a transcript must not lose words
silently. Cues may lack their number, hours or the blank line before them; a blank line inside a cue is part of it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from parley_api.http.errors import InvalidTranscript

ARROW = "-->"
MOMENT = r"(?:(\d{1,3}):)?([0-5]?\d):([0-5]?\d)(?:[.,](\d{1,6}))?"
TIMING = re.compile(rf"\s*{MOMENT}\s*{ARROW}\s*{MOMENT}(?:\s|$)")
SRT_TAG = re.compile(r"</?(?:b|i|u|font)\b[^>]{0,200}>|\{\\[^}]{0,200}\}", re.IGNORECASE)
VTT_TAG = re.compile(r"<(?:/?(?:b|c|i|u|v|lang|ruby|rt)\b[^>]{0,500}|[\d:.]{1,20})>")
COMMENTS = ("NOTE", "STYLE", "REGION")  # blocks of WebVTT that hold no speech


@dataclass(slots=True)
class Cue:
    """A passage of subtitles: seconds, and its lines."""

    start: float
    end: float
    lines: list[str] = field(default_factory=list)


def cues(text: str, *, vtt: bool) -> Iterator[tuple[str, float, float]]:
    """Yield the text of each cue without markup, and its start and end in seconds.

    Raises:
        InvalidTranscript: a line with an arrow has no times that can be read.
    """
    for cue in _cues(text.splitlines(), vtt):
        said = " ".join(cue.lines)
        yield html.unescape(VTT_TAG.sub("", said)) if vtt else SRT_TAG.sub("", said), cue.start, cue.end


def _cues(lines: list[str], vtt: bool) -> list[Cue]:
    found: list[Cue] = []
    in_comment = False
    for place, line in enumerate(lines):
        after_blank = place == 0 or not lines[place - 1].strip()
        if after_blank:
            in_comment = vtt and line.split(" ", 1)[0].rstrip() in COMMENTS
        if in_comment:
            continue
        if ARROW in line and (timing := TIMING.match(line)):
            _drop_identifier(lines, place, found)
            groups = timing.groups()
            found.append(Cue(_seconds(groups[:4]), _seconds(groups[4:])))
        elif ARROW in line:
            raise InvalidTranscript(f"Line {place + 1} of the subtitles has no times that Parley reads.")
        elif found:
            found[-1].lines.append(line)
    return found


def _drop_identifier(lines: list[str], place: int, found: list[Cue]) -> None:
    """Remove the number or name of the cue at `place` from the cue before, whose last line it seemed to be."""
    if not found or not found[-1].lines:
        return
    before = lines[place - 1].strip()
    starts_block = place >= 2 and not lines[place - 2].strip()
    if before and (starts_block or before == str(len(found) + 1)):
        found[-1].lines.pop()


def _seconds(moment: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, fraction = moment
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0) + float(f"0.{fraction or 0}")
