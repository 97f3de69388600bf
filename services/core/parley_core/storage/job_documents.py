"""Manifests and ends as JSON, and the jobs that they describe."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from parley_core.job import (
    Attempt,
    Failure,
    IdempotencyKey,
    Job,
    JobEnd,
    JobState,
    NewJob,
    ResultSummary,
    TimeLimits,
)
from parley_core.job_id import accepted_at
from parley_core.recording import Recording
from parley_core.redis.record import dump, known_members, options_from, options_to_plain, transcription_from

FORMAT = 1  # of manifests and ends; a reader ignores members that it does not know


def manifest_to_json(new: NewJob, idempotency: IdempotencyKey | None) -> bytes:
    """Return what was accepted, as JSON."""
    job = asdict(new) | {"options": options_to_plain(new.options)}
    return dump({"format": FORMAT, "job": job, "idempotency": asdict(idempotency) if idempotency else None}).encode()


def manifest_from_json(text: bytes) -> tuple[NewJob, IdempotencyKey | None]:
    """Return what was accepted. Raises ValueError for a document that is no manifest."""
    plain = plain_object(text)
    try:
        job, key = plain["job"], plain["idempotency"]
        new = NewJob(
            id=job["id"],
            tenant=job["tenant"],
            recording=Recording(**known_members(Recording, job["recording"])),
            options=options_from(job["options"]),
            limits=TimeLimits(**known_members(TimeLimits, job["limits"])),
            traceparent=job.get("traceparent"),
        )
        return new, IdempotencyKey(**known_members(IdempotencyKey, key)) if key else None
    except (KeyError, TypeError) as error:
        raise ValueError("the manifest lacks a member") from error


def end_to_json(end: JobEnd) -> bytes:
    """Return an end as JSON."""
    return json.dumps({"format": FORMAT, **asdict(end)}, separators=(",", ":"), default=datetime.isoformat).encode()


def end_from_json(text: bytes) -> JobEnd:
    """Return an end. Raises ValueError for a document that is none."""
    plain = plain_object(text)
    try:
        return JobEnd(
            state=JobState(plain["state"]),
            finished_at=datetime.fromisoformat(plain["finished_at"]),
            started_at=_time(plain.get("started_at")),
            token=plain["token"],
            attempts=tuple(_attempt(attempt) for attempt in plain["attempts"]),
            error=_failure(plain.get("error")),
            result=_result(plain.get("result")),
        )
    except (KeyError, TypeError) as error:
        raise ValueError("the end lacks a member") from error


def as_accepted(new: NewJob, run: int = 0) -> Job:
    """Return an accepted job as its record begins."""
    state = JobState.QUEUED if run else JobState.ACCEPTED
    made_at = accepted_at(new.id)
    return Job(
        new.id,
        new.tenant,
        state,
        new.options,
        new.recording,
        new.limits,
        created_at=made_at,
        run=run,
        traceparent=new.traceparent,
    )


def as_ended(job: Job, end: JobEnd) -> Job:
    """Return a job as it ended."""
    progress = 1.0 if end.state is JobState.SUCCEEDED else 0.0
    return replace(
        job,
        state=end.state,
        started_at=end.started_at,
        finished_at=end.finished_at,
        token=end.token,
        attempts=end.attempts,
        error=end.error,
        result=end.result,
        progress=progress,
    )


def end_of(job: Job, state: JobState, failure: Failure | None, result: ResultSummary | None) -> JobEnd:
    """Return the end of a job's present run, its last attempt ended with it."""
    now = datetime.now(UTC)
    attempts: tuple[Attempt, ...] = job.attempts
    if attempts and attempts[-1].ended_at is None:
        attempts = (*attempts[:-1], replace(attempts[-1], ended_at=now, error=failure))
    return JobEnd(state, now, job.started_at, job.token, attempts, failure, result)


def plain_object(text: bytes) -> dict[str, Any]:
    """Return the members of a JSON object. Raises ValueError for another document."""
    plain = json.loads(text)
    if not isinstance(plain, dict):
        raise ValueError("the document is not an object")
    return plain


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _failure(plain: Mapping[str, Any] | None) -> Failure | None:
    return None if plain is None else Failure(plain["code"], plain["detail"])


def _result(plain: Mapping[str, Any] | None) -> ResultSummary | None:
    if plain is None:
        return None
    summary = ResultSummary(**known_members(ResultSummary, plain))
    return replace(summary, transcription=transcription_from(plain.get("transcription")))


def _attempt(plain: Mapping[str, Any]) -> Attempt:
    return Attempt(
        number=plain["number"],
        worker=plain["worker"],
        started_at=datetime.fromisoformat(plain["started_at"]),
        ended_at=_time(plain["ended_at"]),
        error=_failure(plain["error"]),
    )
