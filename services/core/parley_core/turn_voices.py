"""How the engine's turns sound, compared with each other: by what the rest is decided again after a correction."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass

FORMAT_VERSION = 1
STEPS = 127  # of a component of a vector between 0 and 1
PER_SECOND = 10  # units of the seconds of a turn
LONGEST = 255  # in these units: more speech makes a vector no better


@dataclass(frozen=True, slots=True)
class TurnVoices:
    """A vector for each turn of a result. Products of vectors are cosine similarities.

    The vectors lie in a basis that is the recording's own and is not stored. So they cannot be compared with those of
    another recording, nor with a voiceprint.

    Attributes:
        dimensions: length of a vector.
        vectors: signed bytes, STEPS for a component of one, turn by turn in the order of the result.
        speech: one byte for each turn: the speech of this speaker alone, in tenths of a second; 0 without a vector.
    """

    dimensions: int
    vectors: bytes
    speech: bytes

    def to_bytes(self) -> bytes:
        """Return a line of JSON, and the compressed numbers."""
        head = {"format": FORMAT_VERSION, "dimensions": self.dimensions, "turns": len(self.speech)}
        return json.dumps(head).encode() + b"\n" + zlib.compress(self.speech + self.vectors)

    @classmethod
    def from_bytes(cls, stored: bytes) -> TurnVoices:
        """Return what `to_bytes` wrote. Raises ValueError for anything else."""
        line, _, compressed = stored.partition(b"\n")
        try:
            head = json.loads(line)
            dimensions, turns = int(head["dimensions"]), int(head["turns"])
            numbers = zlib.decompress(compressed)
        except (ValueError, KeyError, TypeError, zlib.error) as error:
            raise ValueError("These are no voices of turns.") from error
        if len(numbers) != turns * (1 + dimensions):
            raise ValueError("The voices of turns are cut off.")
        return cls(dimensions, numbers[turns:], numbers[:turns])
