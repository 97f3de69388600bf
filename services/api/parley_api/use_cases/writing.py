"""A result in the format that the caller asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from urllib.parse import quote

from parley_api.corrected_result import CorrectedResult
from parley_api.formats import Conversation, Format, shown_names
from parley_api.formats.conversation import passages_of
from parley_api.schemas import TurnsAnswer
from parley_api.speaker_identification import SpeakerIdentity
from parley_core.job import Job


def to_json(result: CorrectedResult, identities: Sequence[SpeakerIdentity] | None, embeddings: bool) -> bytes:
    """Return a result as TurnsAnswer; `embeddings` adds the speaker embeddings. Hours of audio take a while."""
    return TurnsAnswer.of(result, identities, embeddings).model_dump_json(exclude_unset=True).encode()


def conversation_of(job: Job, result: CorrectedResult, identities: Sequence[SpeakerIdentity]) -> Conversation:
    """Return what the formats write of a result.

    Args:
        job: succeeded.
        result: of the job.
        identities: names and roles that are written; none, and the labels are.
    """
    document = result.document
    return Conversation(
        job_id=job.id,
        ended_at=job.finished_at or job.created_at,
        milliseconds=round(document.recording.seconds * 1000),
        turns=document.turns,
        passages=passages_of(document),
        has_text=False,
        names=shown_names(document.speakers, identities),
        roles={identity.speaker: identity.role for identity in identities if identity.role},
    )


def content_disposition(job: Job, chosen: Format, version: int) -> str:
    """Return the header that names the file: like the recording, or like the job where the recording has no name.

    The name of a corrected result has its version: `visit.v3.srt`.
    """
    stem = PurePosixPath(job.recording.file_name or "").stem or job.id
    name = f"{stem}.v{version}.{chosen.extension}" if version else f"{stem}.{chosen.extension}"
    quoted = quote(name, safe="")
    return f'attachment; filename="{name}"' if quoted == name else f"attachment; filename*=UTF-8''{quoted}"
