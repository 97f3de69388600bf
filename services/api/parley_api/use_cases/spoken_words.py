"""A stored transcript, joined with the speakers of the result. Loads NumPy."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from parley_api.corrected_result import CorrectedResult
from parley_api.transcripts.attribution import attribute
from parley_api.transcripts.evidence import as_shown, evidence_of_turns
from parley_api.transcripts.utterances import SpokenWord, spoken
from parley_api.use_cases.results import engine_result
from parley_core.frame_evidence import FrameEvidence
from parley_core.ports import RecordingStore
from parley_core.recording import evidence_key, transcript_key, words_key
from parley_core.transcript import Transcript


def spoken_words(
    recordings: RecordingStore, job_id: str, key: str, result: CorrectedResult
) -> tuple[SpokenWord, ...] | None:
    """Return the words of a job's transcript with their speakers; None if the job has none.

    Args:
        key: of the engine's result.
        result: as corrected.

    Raises:
        ObjectStoreUnavailable: a part cannot be read.
    """
    for place in (transcript_key(job_id), words_key(key)):  # what a caller has sent comes before the recogniser's words
        with suppress(KeyError):
            words = Transcript.from_json(recordings.read(place)).words
            return spoken(words, attribute(words, *_evidence(recordings, key, result)))
    return None


def _evidence(
    recordings: RecordingStore, key: str, result: CorrectedResult
) -> tuple[FrameEvidence, NDArray[np.bool_] | None]:
    """Return the engine's evidence, as corrected, and where; the turns stand for it where the engine has none."""
    shown = result.document
    try:
        evidence = FrameEvidence.from_bytes(recordings.read(evidence_key(key)))
    except KeyError:
        return evidence_of_turns(shown.turns, shown.speakers, shown.recording.seconds), None
    engine = engine_result(recordings, key) if result.version else shown
    return as_shown(evidence, engine.turns, shown.turns, shown.speakers)
