"""In which format the caller wants the turns: by `?format=`, else by `Accept`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from parley_api.http.errors import InvalidOption, NotAcceptable
from parley_api.use_cases.results import Document
from parley_core.redis.record import dump
from parley_core.turns import Turn, to_rttm

JSON, RTTM = "json", "rttm"
MEDIA_TYPES: Mapping[str, str] = {  # media type to format; of equals, the first is meant
    "application/json": JSON,
    "text/x-rttm": RTTM,
    "text/plain": RTTM,
}
DEFAULT_TYPE: Mapping[str, str] = {JSON: "application/json", RTTM: "text/x-rttm"}


def _json(result: Document, job_id: str) -> bytes:
    return dump(result).encode()


def _rttm(result: Document, job_id: str) -> bytes:
    turns = (Turn(turn["start"], turn["end"], turn["speaker"]) for turn in result["turns"])
    return to_rttm(turns, job_id).encode()


RENDER: Mapping[str, Callable[[Document, str], bytes]] = {JSON: _json, RTTM: _rttm}
"""Format to a function of the result object and the job's id."""


def choose(wanted: str | None, accept: str) -> tuple[str, str]:
    """Return (format, media type). Raises InvalidOption for an unknown `?format=`, NotAcceptable for the header."""
    if wanted is not None:
        if wanted not in RENDER:
            raise InvalidOption(f"`format` must be one of: {', '.join(RENDER)}.")
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
