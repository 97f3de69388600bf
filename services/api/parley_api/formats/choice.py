"""The formats, and the choice between them by `?format=` or `Accept`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from parley_api.formats.annotation import to_eaf, to_textgrid
from parley_api.formats.conversation import Conversation
from parley_api.formats.diarized_json import to_diarized_json
from parley_api.formats.prose import to_markdown, to_text
from parley_api.formats.subtitles import to_srt, to_vtt
from parley_api.formats.tables import to_audacity, to_csv, to_rttm
from parley_api.http.errors import NotAcceptable

JSON = "json"
QUALITY = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?")  # RFC 9110, section 12.4.2


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Attributes:
        name: value of `?format=`.
        media_type: in `Accept`, and of the response to it.
        extension: of file names.
        title: for people.
        write: None for Parley's own JSON.
        names: whether known speakers are written by name unless the caller says otherwise.
        sent_as: media type of the response to `?format=`, where it differs.
    """

    name: str
    media_type: str
    extension: str
    title: str
    write: Callable[[Conversation], str] | None
    names: bool = True
    sent_as: str | None = None


FORMATS = (  # of formats that are equally acceptable, the first one is chosen
    Format(JSON, "application/json", "json", "Parley's JSON", None),
    Format("txt", "text/plain", "txt", "plain text", to_text),
    Format("md", "text/markdown", "md", "Markdown", to_markdown),
    Format("vtt", "text/vtt", "vtt", "WebVTT", to_vtt),
    Format("srt", "application/x-subrip", "srt", "SubRip", to_srt),
    Format("csv", "text/csv", "csv", "CSV", to_csv),
    Format("rttm", "text/x-rttm", "rttm", "NIST RTTM", to_rttm, names=False),
    Format("textgrid", "text/praat-textgrid", "TextGrid", "Praat TextGrid", to_textgrid),
    Format("eaf", "text/x-eaf+xml", "eaf", "ELAN", to_eaf),
    Format("audacity", "text/x-audacity-labels", "labels.txt", "Audacity labels", to_audacity),
    Format(
        "diarized_json",
        "application/x-diarized+json",
        "diarized.json",
        "OpenAI diarized_json",
        to_diarized_json,
        sent_as="application/json",
    ),
)
BY_NAME: Mapping[str, Format] = {one.name: one for one in FORMATS}


def negotiated(accept: str) -> Format:
    """Return the format that an `Accept` header prefers.

    Args:
        accept: the header, empty without one.

    Raises:
        NotAcceptable: the header allows none of the formats.
    """
    ranges = _ranges(accept)
    best = max(FORMATS, key=lambda one: _quality(one.media_type, ranges))
    if _quality(best.media_type, ranges) <= 0:
        raise NotAcceptable(f"The turns are available as {', '.join(one.media_type for one in FORMATS)}.")
    return best


def prefers(accept: str, media_type: str, default: str) -> bool:
    """Return whether an `Accept` header prefers a media type to the default."""
    ranges = _ranges(accept)
    return _quality(media_type, ranges) > _quality(default, ranges)


def _ranges(accept: str) -> dict[str, float]:
    """Return quality by media range, from an `Accept` header (RFC 9110, section 12.5.1)."""
    ranges = {}
    for item in (accept.strip() or "*/*").split(","):
        media_range, *parameters = (part.strip().lower() for part in item.split(";"))
        text = next((parameter[2:] for parameter in parameters if parameter.startswith("q=")), "1")
        ranges[media_range] = float(text) if QUALITY.fullmatch(text) else 0.0
    return ranges


def _quality(media_type: str, ranges: Mapping[str, float]) -> float:
    """Return the quality of a media type: that of the most specific range which covers it, 0 without one."""
    main_type = media_type.partition("/")[0]
    covering = (media_type, f"{main_type}/*", "*/*")
    return next((ranges[one] for one in covering if one in ranges), 0.0)
