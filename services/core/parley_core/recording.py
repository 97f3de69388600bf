"""The recording of one conversation, as known when it was accepted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recording:
    """Stored audio; immutable.

    Attributes:
        key: where the object store keeps it; Parley's own name, never the caller's.
        sha256: of the bytes as they came, hex.
        bytes: length as it came.
        seconds: measured from the packets, not taken from a header's word.
        media_type: by content, for example `audio/flac`.
    """

    key: str
    sha256: str
    bytes: int
    seconds: float
    media_type: str
