"""A result in the format that the caller asks for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import PurePosixPath
from urllib.parse import quote

from parley_api.corrected_result import CorrectedResult
from parley_api.formats import Conversation, Format, Passage, shown_names
from parley_api.formats.conversation import passages_of
from parley_api.schemas import TurnsAnswer
from parley_api.schemas.turns import SpeakerIdentityAnswer
from parley_api.speaker_identification import SpeakerIdentity
from parley_api.transcripts.utterances import SpokenWord, texts_of, utterances
from parley_core.job import Job

NOBODY = "UNKNOWN"  # written for the words of a recording in which the engine hears nobody


def to_json(
    result: CorrectedResult,
    identities: Sequence[SpeakerIdentity] | None,
    embeddings: bool,
    words: Sequence[SpokenWord] | None = None,
    has_text: bool | None = None,
) -> bytes:
    """Return a result as TurnsAnswer. Hours of audio take a while.

    Args:
        result: of a job.
        identities: of its speakers; None leaves them out.
        embeddings: adds the speaker embeddings.
        words: of its transcript; None without one.
        has_text: whether the job has a transcript that is left out; None if it is not left out.
    """
    texts = None if words is None else texts_of(result.document.turns, words)
    return TurnsAnswer.of(result, identities, embeddings, texts, has_text).model_dump_json(exclude_unset=True).encode()


def transcript_to_json(
    result: CorrectedResult, words: Sequence[SpokenWord], identities: Sequence[SpeakerIdentity] | None
) -> bytes:
    """Return the words as TranscriptAnswer, without a model per word: hours of talk have tens of thousands."""
    known = None if identities is None else [one.model_dump() for one in SpeakerIdentityAnswer.of(identities)]
    document = {
        "job_id": result.document.job_id,
        "version": result.version,
        "speakers": result.document.speakers,
        "identities": known,
        "utterances": [
            {
                "start": one.start / 1000,
                "end": one.end / 1000,
                "speaker": one.speaker,
                "text": one.text,
                "confidence": one.confidence,
                "first_word": one.first,
                "words": len(one.words),
            }
            for one in utterances(words)
        ],
        "words": [
            {
                "text": one.word.text,
                "start": one.word.start / 1000,
                "end": one.word.end / 1000,
                "speaker": one.speaker,
                "confidence": one.confidence,
            }
            for one in words
        ],
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def conversation_of(
    job: Job, result: CorrectedResult, words: Sequence[SpokenWord] | None, identities: Sequence[SpeakerIdentity]
) -> Conversation:
    """Return what the formats write of a result.

    Args:
        job: succeeded.
        result: of the job.
        words: of its transcript; None without one.
        identities: names and roles that are written; none, and the labels are.
    """
    document = result.document
    return Conversation(
        job_id=job.id,
        ended_at=job.finished_at or job.created_at,
        milliseconds=round(document.recording.seconds * 1000),
        turns=document.turns,
        passages=passages_of(document) if words is None else _passages(words),
        has_text=words is not None,
        names=shown_names(document.speakers, identities) | {NOBODY: NOBODY},
        roles={identity.speaker: identity.role for identity in identities if identity.role},
    )


def _passages(words: Sequence[SpokenWord]) -> tuple[Passage, ...]:
    passages = (
        Passage(one.start, one.end, one.speaker or NOBODY, one.text, one.confidence) for one in utterances(words)
    )
    return tuple(sorted(passages, key=lambda passage: passage.start))


def content_disposition(job: Job, chosen: Format, version: int) -> str:
    """Return the header that names the file: like the recording, or like the job where the recording has no name.

    The name of a corrected result has its version: `visit.v3.srt`.
    """
    stem = PurePosixPath(job.recording.file_name or "").stem or job.id
    name = f"{stem}.v{version}.{chosen.extension}" if version else f"{stem}.{chosen.extension}"
    quoted = quote(name, safe="")
    return f'attachment; filename="{name}"' if quoted == name else f"attachment; filename*=UTF-8''{quoted}"
