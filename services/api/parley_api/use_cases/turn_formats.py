"""In which format the caller wants the turns: by `?format=`, else by `Accept`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from parley_api.http.errors import InvalidOption, NotAcceptable
from parley_api.schemas import TurnsAnswer
from parley_core.result_document import ResultDocument
from parley_core.speaker_identification import SpeakerIdentity

JSON, RTTM = "json", "rttm"
MEDIA_TYPES: Mapping[str, str] = {  # media type to format; of equals, the first is meant
    "application/json": JSON,
    "text/x-rttm": RTTM,
    "text/plain": RTTM,
}
DEFAULT_TYPE: Mapping[str, str] = {JSON: "application/json", RTTM: "text/x-rttm"}


def to_json(result: ResultDocument, identities: Sequence[SpeakerIdentity] | None, embeddings: bool) -> bytes:
    """Return a result as TurnsAnswer; `embeddings` adds the speaker embeddings. Hours of audio take a while."""
    return TurnsAnswer.of(result, identities, embeddings).model_dump_json(exclude_unset=True).encode()


def choose(wanted: str | None, accept: str) -> tuple[str, str]:
    """Return (format, media type). Raises InvalidOption for an unknown `?format=`, NotAcceptable for the header."""
    if wanted is not None:
        if wanted not in DEFAULT_TYPE:
            raise InvalidOption(f"`format` must be one of: {', '.join(DEFAULT_TYPE)}.")
        return wanted, DEFAULT_TYPE[wanted]
    for media_type, _ in sorted(_ranges(accept), key=lambda item: -item[1]):
        chosen = next((known for known in MEDIA_TYPES if _covers(media_type, known)), None)
        if chosen is not None:
            return MEDIA_TYPES[chosen], chosen
    raise NotAcceptable(f"The turns are there as: {', '.join(MEDIA_TYPES)}.")


def _ranges(accept: str) -> list[tuple[str, float]]:
    """(media range, quality) of an Accept header (RFC 9110, 12.5.1) without those of quality 0."""
    ranges = []
    for item in (accept or "*/*").split(","):
        media_type, *parameters = (part.strip().lower() for part in item.split(";"))
        if (quality := _quality(parameters)) > 0:
            ranges.append((media_type, quality))
    return ranges


def _quality(parameters: list[str]) -> float:
    text = next((parameter[2:] for parameter in parameters if parameter.startswith("q=")), "1")
    try:
        return float(text)
    except ValueError:
        return 0.0


def _covers(media_range: str, media_type: str) -> bool:
    return media_range in ("*/*", media_type) or (
        media_range.endswith("/*") and media_type.startswith(media_range.removesuffix("*"))
    )
