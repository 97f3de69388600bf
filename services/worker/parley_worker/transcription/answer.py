"""What a recogniser answers: `verbose_json` of OpenAI's API, as words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from parley_core.errors import UnusableTranscription
from parley_core.timed_words import LATE_SECONDS, UnusableWordsError, openai, words_from
from parley_core.transcript import Word

READING_ERRORS = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError)


def words_of(body: bytes, seconds: float) -> tuple[Word, ...]:
    """Return the words of a piece, none if nobody speaks in it.

    Args:
        body: the answer.
        seconds: length of the piece. Times shortly after its end are taken for its end.

    Raises:
        UnusableTranscription: it is no such answer. The message holds no word.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise UnusableTranscription("The recogniser's answer is not JSON.") from None
    if not isinstance(document, Mapping):
        raise UnusableTranscription("The recogniser's answer is no `verbose_json`.")
    if not document.get("words") and not document.get("segments"):
        if str(document.get("text") or "").strip():
            raise UnusableTranscription("The recogniser's answer has no times: the model gives no `verbose_json`.")
        return ()
    try:
        words = words_from(openai(document))
    except UnusableWordsError as error:
        raise UnusableTranscription(str(error)) from None
    except READING_ERRORS:
        raise UnusableTranscription("The recogniser's answer lacks members of `verbose_json`.") from None
    last = round(seconds * 1000)
    if any(word.start > last + LATE_SECONDS * 1000 for word in words):
        raise UnusableTranscription("The recogniser's answer has words after the end of the recording.")
    return tuple(replace(word, start=min(word.start, last), end=min(word.end, last)) for word in words)
