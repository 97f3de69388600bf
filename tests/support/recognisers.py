"""The same words as each recogniser writes them, from the examples in their documentation."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Spoken = list[tuple[str, float, float]]
"""Words with their start and end in seconds. A sentence mark may be the end of a word."""


def openai(words: Spoken) -> Any:
    said = [{"word": text, "start": start, "end": end} for text, start, end in words]
    return {"task": "transcribe", "language": "english", "duration": words[-1][2], "text": _text(words), "words": said}


def faster_whisper(words: Spoken) -> Any:
    said = [{"start": s, "end": e, "word": f" {text}", "probability": 0.9} for text, s, e in words]
    return {"segments": [{"id": 1, "start": words[0][1], "end": words[-1][2], "text": _text(words), "words": said}]}


def whisper_cpp(words: Spoken) -> Any:
    """With tokens: each word is cut in two, as whisper.cpp cuts long ones."""
    tokens = [{"text": "[_BEG_]", "offsets": {"from": 0, "to": 0}, "id": 50364, "p": 0.9}]
    for text, start, end in words:
        half = (len(text) + 1) // 2
        middle = (start + end) / 2
        parts = [(f" {text[:half]}", start, middle), (text[half:], middle, end)]
        tokens += [
            {"text": part, "offsets": {"from": round(a * 1000), "to": round(b * 1000)}, "id": 1, "p": 0.9}
            for part, a, b in parts
            if part
        ]
    offsets = {"from": round(words[0][1] * 1000), "to": round(words[-1][2] * 1000)}
    segment = {"offsets": offsets, "text": f" {_text(words)}", "tokens": tokens}
    return {"result": {"language": "en"}, "transcription": [segment]}


def vosk(words: Spoken) -> Any:
    said = [{"conf": 1.0, "start": start, "end": end, "word": text} for text, start, end in words]
    return {"result": said, "text": _text(words)}


def deepgram(words: Spoken) -> Any:
    said = [
        {"word": text.lower(), "start": start, "end": end, "confidence": 0.9, "punctuated_word": text}
        for text, start, end in words
    ]
    return {"metadata": {}, "results": {"channels": [{"alternatives": [{"transcript": _text(words), "words": said}]}]}}


def assemblyai(words: Spoken) -> Any:
    said = [{"text": t, "start": round(s * 1000), "end": round(e * 1000), "confidence": 0.9} for t, s, e in words]
    return {"id": "1", "status": "completed", "audio_url": "x", "text": _text(words), "words": said}


def google(words: Spoken) -> Any:
    said = [{"startTime": f"{start:.3f}s", "endTime": f"{end:.3f}s", "word": text} for text, start, end in words]
    return {"results": [{"alternatives": [{"transcript": _text(words), "words": said}]}]}


def google_v2(words: Spoken) -> Any:
    said = [{"startOffset": f"{start:.3f}s", "endOffset": f"{end:.3f}s", "word": text} for text, start, end in words]
    return {"results": [{"alternatives": [{"transcript": _text(words), "words": said}], "languageCode": "en"}]}


def aws(words: Spoken) -> Any:
    items: list[Any] = []
    for text, start, end in words:
        plain = text.rstrip(".?,") or text
        times = {"start_time": f"{start:.3f}", "end_time": f"{end:.3f}"}
        items.append({"type": "pronunciation", "alternatives": [{"content": plain, "confidence": "0.9"}], **times})
        items += [{"type": "punctuation", "alternatives": [{"content": mark}]} for mark in text[len(plain) :]]
    return {"jobName": "x", "results": {"transcripts": [{"transcript": _text(words)}], "items": items}}


def azure_batch(words: Spoken) -> Any:
    said = [
        {"displayText": t, "offsetInTicks": s * 1e7, "durationInTicks": (e - s) * 1e7, "confidence": 0.9}
        for t, s, e in words
    ]
    phrase = {"offsetInTicks": words[0][1] * 1e7, "nBest": [{"display": _text(words), "displayWords": said}]}
    return {"source": "x", "recognizedPhrases": [phrase]}


def azure_fast(words: Spoken) -> Any:
    said = [
        {"text": t, "offsetMilliseconds": round(s * 1000), "durationMilliseconds": round((e - s) * 1000)}
        for t, s, e in words
    ]
    phrase = {"offsetMilliseconds": round(words[0][1] * 1000), "text": _text(words), "words": said}
    return {"durationMilliseconds": 9000, "combinedPhrases": [{"text": _text(words)}], "phrases": [phrase]}


def plain(words: Spoken) -> Any:
    return [{"word": text, "start": start, "end": end} for text, start, end in words]


RECOGNISERS: dict[str, tuple[str, Callable[[Spoken], Any]]] = {
    "OpenAI": ("openai", openai),
    "faster-whisper": ("openai", faster_whisper),
    "whisper.cpp": ("whisper_cpp", whisper_cpp),
    "Vosk": ("vosk", vosk),
    "Deepgram": ("deepgram", deepgram),
    "AssemblyAI": ("assemblyai", assemblyai),
    "Google": ("google", google),
    "Google v2": ("google", google_v2),
    "AWS": ("aws", aws),
    "Azure batch": ("azure", azure_batch),
    "Azure fast": ("azure", azure_fast),
    "plain": ("words", plain),
}
"""The name of the format by which Parley reads it, and what it writes."""


def written(name: str, words: Spoken) -> bytes:
    """Return the file of a recogniser."""
    return json.dumps(RECOGNISERS[name][1](words)).encode()


def _text(words: Spoken) -> str:
    return " ".join(text for text, _, _ in words)
