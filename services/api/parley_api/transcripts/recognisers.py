"""What each recogniser writes, as words with times in seconds.

Each reader yields (text, start, end). A time that the recogniser does not give is None. Readers raise LookupError,
TypeError, ValueError, ArithmeticError or AttributeError for JSON of another shape; `reading` turns that into a problem.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from parley_core.timed_words import Json, Timed, dealt, number, openai, plain

TICK = 1e-7  # seconds, Azure's unit of time


def whisper_cpp(document: Json) -> Iterator[Timed]:
    """The JSON of whisper.cpp, with tokens (`-ojf`) or without (`-oj`). A blank before a token begins a word."""
    for segment in document["transcription"]:
        words: list[tuple[str, float, float]] = []
        for token in segment.get("tokens", ()):
            text, start, end = token["text"], *_offsets(token)
            if text.startswith("[_"):
                continue
            if words and not text.startswith(" "):
                words[-1] = (words[-1][0] + text, words[-1][1], end)
            else:
                words.append((text, start, end))
        if "".join(text for text, _, _ in words).split() == segment["text"].split():
            yield from words
        else:  # tokens that are parts of characters, or none
            yield from dealt(segment["text"], *_offsets(segment))


def vosk(document: Json) -> Iterator[Timed]:
    """One result of Vosk, or a list of them."""
    for result in document if isinstance(document, list) else [document]:
        yield from plain(result.get("result", ()))


def deepgram(document: Json) -> Iterator[Timed]:
    """The words of all channels, by start."""
    channels = [channel["alternatives"][0]["words"] for channel in document["results"]["channels"]]
    for word in sorted((word for words in channels for word in words), key=lambda word: float(word["start"])):
        yield word.get("punctuated_word") or word["word"], word["start"], word["end"]


def assemblyai(document: Json) -> Iterator[Timed]:
    """Times are milliseconds."""
    for word in document["words"]:
        yield word["text"], word["start"] / 1000, word["end"] / 1000


def google(document: Json) -> Iterator[Timed]:
    """Version 1 and 2. With diarization, the last result repeats all words, with speaker tags."""
    results = document.get("response", document)["results"]
    spoken = [result["alternatives"][0].get("words", ()) for result in results if result.get("alternatives")]
    if (
        len(spoken) > 1
        and any("speakerTag" in word for word in spoken[-1])
        and "speakerTag" not in next((word for words in spoken for word in words), {})
    ):
        spoken = spoken[-1:]
    for words in spoken:
        for word in words:
            yield word["word"], _duration(word, "start"), _duration(word, "end")


def aws(document: Json) -> Iterator[Timed]:
    """Amazon Transcribe. Punctuation is an item of its own and belongs to the word before it."""
    last: Timed | None = None
    for item in document["results"]["items"]:
        text = item["alternatives"][0]["content"]
        if item["type"] == "punctuation" and last is not None:
            last = (last[0] + text, *last[1:])
            continue
        if last is not None:
            yield last
        last = (text, number(item.get("start_time")), number(item.get("end_time")))
    if last is not None:
        yield last


def azure(document: Json) -> Iterator[Timed]:
    """Batch and fast transcription, and one detailed result."""
    if "recognizedPhrases" in document:
        phrases = sorted(document["recognizedPhrases"], key=lambda phrase: phrase["offsetInTicks"])
        for phrase in phrases:
            best = phrase["nBest"][0]
            for word in best.get("displayWords") or best["words"]:
                yield _spanned(word.get("displayText") or word["word"], word, "offsetInTicks", "durationInTicks", TICK)
    elif "phrases" in document:
        for phrase in sorted(document["phrases"], key=lambda phrase: phrase["offsetMilliseconds"]):
            for word in phrase.get("words", ()):
                yield _spanned(word["text"], word, "offsetMilliseconds", "durationMilliseconds", 1e-3)
            if not phrase.get("words"):
                yield from dealt(*_spanned(phrase["text"], phrase, "offsetMilliseconds", "durationMilliseconds", 1e-3))
    else:
        for word in document["NBest"][0]["Words"]:
            yield _spanned(word["Word"], word, "Offset", "Duration", TICK)


READERS: Mapping[str, Callable[[Json], Iterator[Timed]]] = {
    "openai": openai,
    "whisper_cpp": whisper_cpp,
    "vosk": vosk,
    "deepgram": deepgram,
    "assemblyai": assemblyai,
    "google": google,
    "aws": aws,
    "azure": azure,
    "words": plain,
}


def recognise(document: Json) -> str | None:
    """Return the name of the reader for a JSON document, by its members; None for an unknown one."""
    first = document[0] if isinstance(document, list) and document else document
    if not isinstance(first, Mapping):
        return "words" if document == [] else None
    if isinstance(document, list):
        return _of_list(first)
    results = document.get("results") or (document.get("response") or {}).get("results")
    known = {
        "whisper_cpp": "transcription" in document,
        "assemblyai": "words" in document and ("audio_url" in document or "acoustic_model" in document),
        "openai": "segments" in document or ("words" in document and "text" in document),
        "azure": any(name in document for name in ("recognizedPhrases", "phrases", "NBest")),
        "deepgram": isinstance(results, Mapping) and "channels" in results,
        "aws": isinstance(results, Mapping) and "items" in results,
        "google": isinstance(results, list),
        "vosk": "result" in document or document.keys() == {"text"},
        "words": "words" in document,
    }
    return next((name for name, matches in known.items() if matches), None)


def _of_list(first: Mapping[str, Json]) -> str | None:
    if "result" in first or first.keys() == {"text"}:
        return "vosk"
    if "word" in first:
        return "words"
    return "openai" if "text" in first else None


def _offsets(part: Mapping[str, Json]) -> tuple[float, float]:
    return part["offsets"]["from"] / 1000, part["offsets"]["to"] / 1000


def _duration(word: Mapping[str, Json], edge: str) -> float:
    """Return a time of Google's, such as `1.400s`. Times of zero are left out."""
    value = next((word[name] for name in (f"{edge}Time", f"{edge}Offset", f"{edge}_time") if name in word), "0s")
    return float(str(value).removesuffix("s"))


def _spanned(text: str, part: Mapping[str, Json], offset: str, duration: str, unit: float) -> Timed:
    return text, part[offset] * unit, (part[offset] + part[duration]) * unit
