"""The engine's evidence for each speaker at each moment: what words are given to speakers by."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass

FORMAT_VERSION = 1
SMALLER = 6  # level of compression: 4 hours take 0.1 s


@dataclass(frozen=True, slots=True)
class FrameEvidence:
    """How strongly the engine hears each speaker in each frame.

    Attributes:
        speakers: label of each column.
        first: middle of the first frame, seconds.
        hop: between frames, seconds.
        levels: 0 to 255 per frame and speaker, row by row; 255 is certainty that the speaker talks.
    """

    speakers: tuple[str, ...]
    first: float
    hop: float
    levels: bytes

    def to_bytes(self) -> bytes:
        """Return a line of JSON, and the compressed levels."""
        head = {"format": FORMAT_VERSION, "speakers": self.speakers, "first": self.first, "hop": self.hop}
        return json.dumps(head).encode() + b"\n" + zlib.compress(self.levels, SMALLER)

    @classmethod
    def from_bytes(cls, stored: bytes) -> FrameEvidence:
        """Return what `to_bytes` wrote. Raises ValueError for anything else."""
        line, _, compressed = stored.partition(b"\n")
        try:
            head = json.loads(line)
            speakers, first, hop = tuple(head["speakers"]), float(head["first"]), float(head["hop"])
            levels = zlib.decompress(compressed)
        except (ValueError, KeyError, TypeError, zlib.error) as error:
            raise ValueError("This is no frame evidence.") from error
        if len(levels) % max(1, len(speakers)):
            raise ValueError("The frame evidence is cut off.")
        return cls(speakers, first, hop, levels)
