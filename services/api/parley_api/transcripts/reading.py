"""A transcript as a caller sends it: recognised by its members or by its name, read, and checked."""

from __future__ import annotations

import json
import re

from parley_api.http.errors import InvalidTranscript
from parley_api.schemas.queries import TranscriptFormat
from parley_api.transcripts.recognisers import READERS, recognise
from parley_api.transcripts.subtitles import cues
from parley_core.timed_words import LATE_SECONDS, Timed, UnusableWordsError, dealt, words_from
from parley_core.transcript import Transcript

MAX_TRANSCRIPT_BYTES = 32 * 1024 * 1024  # 40,000 words take 10 MB where a recogniser says most about each
SUBTITLES = ("srt", "vtt")
NOT_BLANK = re.compile(r"\S")


def read_transcript(body: bytes, name: TranscriptFormat | None = None) -> Transcript:
    """Return the words of a transcript.

    Args:
        body: text in UTF-8.
        name: of the format; None, and it is recognised.

    Raises:
        InvalidTranscript: it cannot be read, or it has no words or too many.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidTranscript("The transcript is not text in UTF-8.") from None
    source = name or _sniffed(text)
    timed = _subtitles(text, source) if source in SUBTITLES else _from_json(text, source)
    try:
        words = words_from(timed)
    except UnusableWordsError as error:
        raise InvalidTranscript(str(error)) from None
    if not words:
        raise InvalidTranscript("The transcript has no words with times.")
    return Transcript(words, source)


def require_within(transcript: Transcript, seconds: float) -> None:
    """Raise InvalidTranscript for words that start after the end of a recording of this length."""
    for number, word in enumerate(transcript.words, 1):
        if word.start > (seconds + LATE_SECONDS) * 1000:
            raise InvalidTranscript(f"Word {number} starts after the end of the recording, which has {seconds:.1f} s.")


def _sniffed(text: str) -> str:
    start = text.lstrip()[:6]
    if start.startswith("WEBVTT"):
        return "vtt"
    if not start.startswith(("{", "[")):
        return "srt"
    name = recognise(_parsed(text))
    if name is None:
        known = ", ".join((*READERS, *SUBTITLES))
        raise InvalidTranscript(f"The format of the transcript is unknown. Known formats: {known}.")
    return name


def _from_json(text: str, source: str) -> list[Timed]:
    try:
        return list(READERS[source](_parsed(text)))
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError):
        raise InvalidTranscript(f"The transcript lacks members that the format `{source}` has.") from None


def _parsed(text: str) -> object:
    """Return JSON, or JSON values one after the other, as Vosk prints them, as a list."""
    decoder = json.JSONDecoder()
    values = []
    place = _next(text, 0)
    try:
        while place < len(text):
            value, place = decoder.raw_decode(text, place)
            values.append(value)
            place = _next(text, place)
    except (ValueError, RecursionError):
        raise InvalidTranscript("The transcript is neither valid JSON nor a file of subtitles.") from None
    return values[0] if len(values) == 1 else values


def _next(text: str, place: int) -> int:
    """Return the place of the next character that is no white space."""
    found = NOT_BLANK.search(text, place)
    return found.start() if found else len(text)


def _subtitles(text: str, source: str) -> list[Timed]:
    timed: list[Timed] = []
    for said, start, end in cues(text, vtt=source == "vtt"):
        timed += dealt(said, start, end)
    return timed
