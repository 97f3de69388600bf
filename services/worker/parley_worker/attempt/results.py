"""The result object: what `GET /v1/jobs/{id}/turns` answers, kept under the nonce of the attempt that made it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from parley_core.job import Job, Lease, ResultSummary
from parley_core.recording import result_folder
from parley_core.review import REVIEW_BELOW, needs_review
from parley_core.turns import Diarization, EngineInfo, Turn
from parley_core.voiceprints import Role


def result_key(lease: Lease) -> str:
    """Return where the result of one attempt is kept; two attempts can never overwrite each other's."""
    return f"{result_folder(lease.job_id)}/{lease.nonce}.json"


def result_object(job: Job, diarization: Diarization, engine: EngineInfo, roles: Mapping[str, Role]) -> bytes:
    """Return the turns as JSON in the form of the HTTP contract, and what it needs to know the people by.

    Args:
        roles: of speakers, by label, where their channels tell.
    """
    plain = _plain(job, diarization, engine)
    if job.options.channels:
        plain["roles"] = dict(roles)
    if job.options.speaker_embeddings:
        plain |= {
            "speaker_embeddings": dict(diarization.speaker_embeddings),
            "embedding_model": _embedding_model(diarization, engine),
        }
    return json.dumps(plain, separators=(",", ":")).encode()


def _embedding_model(diarization: Diarization, engine: EngineInfo) -> str:
    """An engine that does not name what made its voices is comparable with its own version only."""
    return diarization.embedding_model or f"{engine.name} {engine.version}"


def _plain(job: Job, diarization: Diarization, engine: EngineInfo) -> dict[str, Any]:
    return {
        "job_id": job.id,
        "turns": [asdict(turn) for turn in diarization.turns],
        "exclusive_turns": [asdict(turn) for turn in diarization.exclusive_turns],
        "overlaps": [asdict(span) for span in diarization.overlaps],
        "speakers": list(diarization.speakers),
        "engine": asdict(engine),
        "recording": {"sha256": job.recording.sha256, "seconds": job.recording.seconds},
    }


def summary(lease: Lease, diarization: Diarization, engine: EngineInfo, timings: dict[str, float]) -> ResultSummary:
    """Return what the record keeps of a result."""
    doubtful = _to_review(diarization, engine)
    return ResultSummary(
        key=result_key(lease),
        speakers=len(diarization.speakers),
        turns=len(diarization.turns),
        seconds_of_speech=round(diarization.seconds_of_speech, 3),
        engine=asdict(engine),
        timings=timings,
        turns_to_review=None if doubtful is None else len(doubtful),
        seconds_to_review=None if doubtful is None else round(sum(turn.end - turn.start for turn in doubtful), 3),
    )


def _to_review(diarization: Diarization, engine: EngineInfo) -> list[Turn] | None:
    """Return the turns that need review, None where the engine gives no bound for it."""
    if REVIEW_BELOW not in engine.parameters:
        return None
    return [turn for turn in diarization.turns if needs_review(turn.confidence, engine.parameters)]
