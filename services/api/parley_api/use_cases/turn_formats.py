"""Chooses the format of the turns: by `?format=`, otherwise by `Accept`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from parley_api.http.errors import NotAcceptable
from parley_api.schemas import TurnsAnswer
from parley_api.speaker_identification import SpeakerIdentity
from parley_core.result_document import ResultDocument

JSON, RTTM = "json", "rttm"
MEDIA_TYPES: Mapping[str, str] = {  # media type to format; the first of equally acceptable ones is chosen
    "application/json": JSON,
    "text/x-rttm": RTTM,
    "text/plain": RTTM,
}
DEFAULT_TYPE: Mapping[str, str] = {JSON: "application/json", RTTM: "text/x-rttm"}


def to_json(result: ResultDocument, identities: Sequence[SpeakerIdentity] | None, embeddings: bool) -> bytes:
    """Return a result as TurnsAnswer; `embeddings` adds the speaker embeddings. Hours of audio take a while."""
    return TurnsAnswer.of(result, identities, embeddings).model_dump_json(exclude_unset=True).encode()


def choose(wanted: str | None, accept: str) -> tuple[str, str]:
    """Return (format, media type).

    Args:
        wanted: the format that the query asks for.
        accept: the `Accept` header, empty without one.

    Raises:
        NotAcceptable: the header allows none of the formats.
    """
    if wanted is not None:
        return wanted, DEFAULT_TYPE[wanted]
    ranges = _ranges(accept)
    media_type = max(MEDIA_TYPES, key=lambda known: _quality(known, ranges))
    if _quality(media_type, ranges) <= 0:
        raise NotAcceptable(f"The turns are available as {', '.join(MEDIA_TYPES)}.")
    return MEDIA_TYPES[media_type], media_type


def _ranges(accept: str) -> dict[str, float]:
    """Return quality by media range, from an `Accept` header (RFC 9110, section 12.5.1)."""
    ranges = {}
    for item in (accept or "*/*").split(","):
        media_range, *parameters = (part.strip().lower() for part in item.split(";"))
        text = next((parameter[2:] for parameter in parameters if parameter.startswith("q=")), "1")
        try:
            ranges[media_range] = float(text)
        except ValueError:
            ranges[media_range] = 0.0
    return ranges


def _quality(media_type: str, ranges: Mapping[str, float]) -> float:
    """Return the quality of a media type: that of the most specific range which covers it, 0 without one."""
    main_type = media_type.partition("/")[0]
    covering = (media_type, f"{main_type}/*", "*/*")
    return next((ranges[one] for one in covering if one in ranges), 0.0)
