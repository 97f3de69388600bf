"""The result object: what `GET /v1/jobs/{id}/turns` answers, kept under the token of the attempt that made it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from parley_core.job import Job, Lease, ResultSummary
from parley_core.turns import Diarization, EngineInfo


def result_key(lease: Lease) -> str:
    """Return where the result of one attempt is kept; two attempts can never overwrite each other's."""
    return f"results/{lease.job_id}/{lease.token}.json"


def result_object(job: Job, diarization: Diarization, engine: EngineInfo) -> bytes:
    """Return the turns as JSON in the form of the HTTP contract."""
    return json.dumps(_plain(job, diarization, engine), separators=(",", ":")).encode()


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
    return ResultSummary(
        key=result_key(lease),
        speakers=len(diarization.speakers),
        turns=len(diarization.turns),
        seconds_of_speech=round(diarization.seconds_of_speech, 3),
        engine=asdict(engine),
        timings=timings,
    )
