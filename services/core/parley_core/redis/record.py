"""The record as a Redis hash, and the Job it stands for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

from parley_core.job import (
    Attempt,
    Failure,
    Job,
    JobOptions,
    JobState,
    Phase,
    Queue,
    ResultSummary,
    SpeakerBounds,
    TimeLimits,
)
from parley_core.recording import Recording
from parley_core.voiceprints import Role

Record = Mapping[str, str]

NEWER_IN_RESULT = frozenset({"turns_to_review", "seconds_to_review"})
NEWER_OPTIONS = frozenset({"speaker_embeddings", "channels"})


def known_members(kind: type, plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of a document that a dataclass knows: a newer version's are left out."""
    names = {one.name for one in fields(kind)}
    return {name: value for name, value in plain.items() if name in names}


def dump(value: object) -> str:
    """Return compact JSON with sorted keys, so that equal values are equal text."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def moment(milliseconds: str | None) -> datetime | None:
    """Return the UTC time of a millisecond count, None for none."""
    return None if not milliseconds else datetime.fromtimestamp(int(milliseconds) / 1000, UTC)


def present(value: datetime | None) -> datetime:
    if value is None:
        raise ValueError("a record without its times is no record")
    return value


def options_to_plain(options: JobOptions) -> dict[str, Any]:
    """Return options as plain data.

    What came after version 0.1.0 is left out unless it was asked for: during an upgrade, workers of the version before
    read new records, and an idempotency key from before it stands for the same options.
    """
    return {name: value for name, value in asdict(options).items() if value or name not in NEWER_OPTIONS}


def options_from(plain: Mapping[str, Any]) -> JobOptions:
    """Return options from the plain data that options_to_plain made of them."""
    read = {"speakers": SpeakerBounds(**plain["speakers"]), "queue": Queue(plain["queue"])}
    return JobOptions(**{**plain, **read, "channels": tuple(Role(one) for one in plain.get("channels", ()))})


def result_to_fields(result: ResultSummary) -> tuple[str, str]:
    """Return the record's fields `result` and `result_more`.

    The second holds what came after version 0.1.0: during an upgrade, APIs of the version before read new records, and
    they pass over fields that they do not know, but not over members of `result`.
    """
    plain = asdict(result)
    more = {name: plain.pop(name) for name in NEWER_IN_RESULT}
    return dump(plain), dump({name: value for name, value in more.items() if value is not None})


def _attempt(record: Record, number: int) -> Attempt:
    field = f"attempt:{number}"
    code = record.get(f"{field}:code")
    return Attempt(
        number=number,
        worker=record[f"{field}:worker"],
        started_at=present(moment(record[f"{field}:started_at"])),
        ended_at=moment(record.get(f"{field}:ended_at")),
        error=Failure(code, record[f"{field}:detail"]) if code else None,
    )


def job_from(record: Record, position: int | None = None) -> Job:
    """Return the job that a record's hash holds."""
    code, result, phase = record.get("error_code"), record.get("result"), record.get("phase")
    return Job(
        id=record["id"],
        tenant=record["tenant"],
        state=JobState(record["state"]),
        options=options_from(json.loads(record["options"])),
        recording=Recording(**json.loads(record["recording"])),
        limits=TimeLimits(**json.loads(record["limits"])),
        created_at=present(moment(record["created_at"])),
        started_at=moment(record.get("started_at")),
        finished_at=moment(record.get("finished_at")),
        phase=Phase(phase) if phase else None,
        progress=float(record["progress"]),
        token=int(record["token"]),
        nonce=record.get("nonce", ""),
        run=int(record.get("run", "0")),
        attempts=tuple(_attempt(record, n) for n in range(1, int(record["attempt"]) + 1)),
        error=Failure(code, record["error_detail"]) if code else None,
        result=ResultSummary(**json.loads(result), **json.loads(record.get("result_more", "{}"))) if result else None,
        position=position,
    )
