"""The words of a recognised transcript, and the document in which the object store keeps them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

FORMAT_VERSION = 1
SENTENCE_ENDS = (".", "?", "!", "…", "。", "？", "！")
CLOSING = "\"')]}»”’"  # may follow the mark that ends a sentence


@dataclass(frozen=True, slots=True)
class Word:
    """One word as the recogniser wrote it, with its punctuation.

    Attributes:
        text: as it came, without white space around it.
        start: milliseconds from the beginning of the recording.
        end: milliseconds; not less than start.
    """

    text: str
    start: int
    end: int

    @property
    def ends_sentence(self) -> bool:
        """True if a sentence ends with this word."""
        return self.text.rstrip(CLOSING).endswith(SENTENCE_ENDS)


@dataclass(frozen=True, slots=True)
class Transcription:
    """What became of the words of a job with `transcribe`.

    Attributes:
        words: number of words of the transcript.
        audio_seconds: length of the audio that the recogniser has transcribed.
        error_code: why there is no transcript, as a code; None if there is one.
        error_detail: the same in a sentence.
    """

    words: int = 0
    audio_seconds: float = 0.0
    error_code: str | None = None
    error_detail: str | None = None


@dataclass(frozen=True, slots=True)
class TranscriptionRequest:
    """A caller's request for the words of a job that has ended. A job has one at a time, until it is answered.

    Attributes:
        worker: works on it; empty while it waits.
        nonce: identity of the last attempt at it; only the newest may renew and answer it.
        attempts: number of attempts so far.
        progress: share of the recording that is transcribed, 0 to 1.
    """

    worker: str = ""
    nonce: str = ""
    attempts: int = 0
    progress: float = 0.0


@dataclass(frozen=True, slots=True)
class Transcript:
    """The words of one recording, in the recogniser's order.

    Attributes:
        words: of the whole recording.
        source: name of the format that they were read from.
    """

    words: tuple[Word, ...]
    source: str

    def to_json(self) -> bytes:
        """Return compact JSON."""
        words = [(word.text, word.start, word.end) for word in self.words]
        document = {"format": FORMAT_VERSION, "source": self.source, "words": words}
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, stored: bytes) -> Transcript:
        """Return what `to_json` wrote. Raises ValueError for anything else."""
        try:
            document = json.loads(stored)
            words: Sequence[tuple[str, int, int]] = document["words"]
            return cls(tuple(Word(text, start, end) for text, start, end in words), document["source"])
        except (KeyError, TypeError) as error:
            raise ValueError("This is no transcript.") from error
