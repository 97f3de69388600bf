"""The trace of a job, by W3C Trace Context: the caller's own, or one that is derived from the job's id.

https://www.w3.org/TR/trace-context/
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from uuid import UUID

TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def accepted_traceparent(values: Sequence[str]) -> str | None:
    """Return the caller's trace context, None where the header is absent, repeated or invalid.

    The specification asks for an invalid header to be ignored. Of a version that is newer than 00, the part that 00
    defines is kept.

    Args:
        values: of all `traceparent` headers of a request.
    """
    if len(values) != 1:
        return None
    known, rest = values[0][:55], values[0][55:]
    newer = not known.startswith("00-") and rest.startswith("-")
    if not TRACEPARENT.fullmatch(known) or (rest and not newer):
        return None
    return f"00{known[2:]}"


def trace_id_of(job_id: str, traceparent: str | None) -> str:
    """Return the id (32 hex digits) of a job's trace: the caller's, or the digits of the job's id."""
    if traceparent is not None:
        return traceparent.split("-")[1]
    try:
        return UUID(job_id).hex
    except ValueError:
        return hashlib.sha256(job_id.encode()).hexdigest()[:32]
