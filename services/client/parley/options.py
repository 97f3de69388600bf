"""What a caller can ask for with a recording."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict


class SubmitOptions(TypedDict, total=False):
    """Options of a submit; the server's default applies to those that are left out or None.

    Attributes:
        num_speakers: number of speakers, if known. Excludes `min_speakers` and `max_speakers`.
        min_speakers: minimum number of speakers.
        max_speakers: maximum number of speakers.
        queue: `interactive` (a person waits; the default) or `batch`.
        reference: your own name for the conversation.
        callback_url: where the server delivers the end of the job.
        retain_seconds: how long recording and result are kept after the end of the job.
        retain_audio_seconds: how long the recording alone is kept after the end of the job; 0 removes it at the end.
        speaker_embeddings: keep an embedding of each speaker, to enrol voiceprints and to identify speakers.
        transcribe: have the server's recogniser write down the words; see `ResultSummary.transcription`.
        channels: role per channel, in order: `clinician`, `patient` or `other`.
        file_name: name that is shown with the job; by default the name of the submitted file.
    """

    num_speakers: int | None
    min_speakers: int | None
    max_speakers: int | None
    queue: str | None
    reference: str | None
    callback_url: str | None
    retain_seconds: int | None
    retain_audio_seconds: int | None
    speaker_embeddings: bool
    transcribe: bool
    channels: Sequence[str] | None
    file_name: str | None
