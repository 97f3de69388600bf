"""Files of annotation programs: Praat TextGrid and ELAN EAF, with a tier per speaker.

Written here in forty lines each, so that the API needs no library for them: praatio and pympi write to files only. The
tests read what this module writes with both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from parley_api.formats.conversation import Conversation, Passage, decimal_seconds, one_line

NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
LINGUISTIC_TYPE = "default-lt"  # ELAN's own name of the type of a plain tier
EAF = {
    "AUTHOR": "",
    "FORMAT": "3.0",
    "VERSION": "3.0",
    "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "xsi:noNamespaceSchemaLocation": "http://www.mpi.nl/tools/elan/EAFv3.0.xsd",
}


def to_textgrid(conversation: Conversation) -> str:
    """Return a TextGrid in Praat's long text format; intervals without speech are empty."""
    rows = conversation.rows()
    # a transcript may go on after the end of the recording
    length = max([conversation.milliseconds, *(passage.end for passage in conversation.passages)])
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        f"xmax = {decimal_seconds(length)}",
        "tiers? <exists>",
        f"size = {len(rows)}",
        "item []:",
    ]
    for number, (name, passages) in enumerate(rows, 1):
        lines += _tier(number, name, _intervals(passages, name, length), length)
    return "\n".join(lines) + "\n"


def to_eaf(conversation: Conversation) -> str:
    """Return an annotation document of ELAN, version 3.0."""
    document = ElementTree.Element("ANNOTATION_DOCUMENT", EAF | {"DATE": conversation.ended_at.isoformat()})
    ElementTree.SubElement(document, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    order = ElementTree.SubElement(document, "TIME_ORDER")
    number = 0
    for name, passages in conversation.rows():
        name = _xml(name)
        tier = ElementTree.SubElement(
            document, "TIER", TIER_ID=name, PARTICIPANT=name, LINGUISTIC_TYPE_REF=LINGUISTIC_TYPE
        )
        for passage in passages:
            number += 1
            slots = (f"ts{2 * number - 1}", f"ts{2 * number}")
            for slot, moment in zip(slots, (passage.start, passage.end), strict=True):
                ElementTree.SubElement(order, "TIME_SLOT", TIME_SLOT_ID=slot, TIME_VALUE=str(moment))
            annotation = ElementTree.SubElement(
                ElementTree.SubElement(tier, "ANNOTATION"),
                "ALIGNABLE_ANNOTATION",
                ANNOTATION_ID=f"a{number}",
                TIME_SLOT_REF1=slots[0],
                TIME_SLOT_REF2=slots[1],
            )
            value = ElementTree.SubElement(annotation, "ANNOTATION_VALUE")
            value.text = name if passage.text is None else _xml(passage.text)
    ElementTree.SubElement(
        document,
        "LINGUISTIC_TYPE",
        LINGUISTIC_TYPE_ID=LINGUISTIC_TYPE,
        TIME_ALIGNABLE="true",
        GRAPHIC_REFERENCES="false",
    )
    ElementTree.indent(document)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(document, encoding="unicode")}\n'


def _intervals(passages: Sequence[Passage], name: str, length: int) -> list[tuple[int, int, str]]:
    """Return intervals from 0 to `length` without gaps; those between the passages have no text."""
    intervals = []
    reached = 0
    for passage in passages:
        if passage.start > reached:
            intervals.append((reached, passage.start, ""))
        intervals.append((passage.start, passage.end, name if passage.text is None else passage.text))
        reached = passage.end
    if reached < length:
        intervals.append((reached, length, ""))
    return intervals


def _tier(number: int, name: str, intervals: Sequence[tuple[int, int, str]], length: int) -> list[str]:
    lines = [
        f"    item [{number}]:",
        '        class = "IntervalTier"',
        f"        name = {_quoted(name)}",
        "        xmin = 0",
        f"        xmax = {decimal_seconds(length)}",
        f"        intervals: size = {len(intervals)}",
    ]
    for position, (start, end, text) in enumerate(intervals, 1):
        lines += [
            f"        intervals [{position}]:",
            f"            xmin = {decimal_seconds(start)}",
            f"            xmax = {decimal_seconds(end)}",
            f"            text = {_quoted(text)}",
        ]
    return lines


def _quoted(text: str) -> str:
    return '"' + one_line(text).replace('"', '""') + '"'


def _xml(text: str) -> str:
    """Return text without the characters that no XML document can hold."""
    return NOT_XML.sub("", one_line(text))
