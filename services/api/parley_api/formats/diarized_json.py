"""The `diarized_json` of OpenAI's transcriptions, so that programs written for it read Parley's answers."""

from __future__ import annotations

import json

from parley_api.formats.conversation import Conversation


def to_diarized_json(conversation: Conversation) -> str:
    """Return the JSON. Without a transcript the texts are empty."""
    segments = [
        {
            "type": "transcript.text.segment",
            "id": f"seg_{number:03}",
            "start": passage.start / 1000,
            "end": passage.end / 1000,
            "text": passage.text or "",
            "speaker": conversation.name_of(passage),
        }
        for number, passage in enumerate(conversation.passages, 1)
    ]
    document = {
        "task": "transcribe",
        "duration": conversation.milliseconds / 1000,
        "text": " ".join(passage.text for passage in conversation.passages if passage.text),
        "segments": segments,
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
