"""Who said each word."""

from __future__ import annotations

from pydantic import Field

from parley_api.schemas import examples
from parley_api.schemas.base import Answer, Seconds, with_example
from parley_api.schemas.turns import SpeakerIdentityAnswer


@with_example(examples.TRANSCRIPT_RECEIPT)
class TranscriptReceiptAnswer(Answer):
    """A stored transcript."""

    job_id: str = Field(description="Id of the job.")
    words: int = Field(description="Number of words.")
    format: str = Field(description="Format in which the transcript was read.")


class WordAnswer(Answer):
    """One word, as the recogniser wrote it."""

    text: str = Field(description="The word, unchanged.")
    start: Seconds = Field(description="Seconds from the beginning of the recording, as the recogniser gave them.")
    end: Seconds = Field(description="Seconds from the beginning of the recording.")
    speaker: str | None = Field(description="Label of the speaker; null if nobody speaks in the recording.")
    confidence: float = Field(description="The speaker's share of the engine's evidence at that moment, 0 to 1.")


class UtteranceAnswer(Answer):
    """Consecutive words of one speaker without a long pause."""

    start: Seconds = Field(description="Seconds from the beginning of the recording.")
    end: Seconds = Field(description="Seconds from the beginning of the recording; greater than `start`.")
    speaker: str | None = Field(description="Label of the speaker; null if nobody speaks in the recording.")
    text: str = Field(description="The words, with blanks between them.")
    confidence: float = Field(description="Mean of the words' confidences.")
    first_word: int = Field(description="Index of the first word in `words`.")
    words: int = Field(description="Number of words.")


@with_example(examples.TRANSCRIPT)
class TranscriptAnswer(Answer):
    """Who said each word."""

    job_id: str = Field(description="Id of the job.")
    version: int = Field(description="Number of corrections of the turns that the words follow.")
    speakers: list[str] = Field(description="Labels of the speakers, in order of first appearance in the turns.")
    identities: list[SpeakerIdentityAnswer] | None = Field(
        description="Who the speakers are; null unless the job has `speaker_embeddings` or `channels`."
    )
    utterances: list[UtteranceAnswer] = Field(description="The utterances, in the order of their words.")
    words: list[WordAnswer] = Field(description="Every word of the transcript, in the recogniser's order.")
