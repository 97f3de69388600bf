"""The record as a Redis hash, and the Job it stands for.

The fields are flat and short on purpose: Redis packs a hash whose values are at most 64 bytes long
(hash-max-listpack-value) into one block, and a finished job takes half the memory. What has its default is left out.
Fields and members that this version does not know are ignored.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from typing import Any

from parley_core.forecast import Forecast
from parley_core.job import (
    Attempt,
    Failure,
    Job,
    JobEnd,
    JobOptions,
    JobState,
    NewJob,
    Phase,
    Queue,
    ResultSummary,
    SpeakerBounds,
    TimeLimits,
)
from parley_core.recording import Recording, recording_key, result_folder, result_key
from parley_core.transcript import Transcription, TranscriptionRequest
from parley_core.voiceprints import Role

Record = Mapping[str, str]
Fields = dict[str, str | int | float]

TIMING = "timing:"
NO_FORECAST = Forecast()


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


def milliseconds(value: datetime) -> int:
    """Return a time as the record keeps it."""
    return round(value.timestamp() * 1000)


def present(value: datetime | None) -> datetime:
    if value is None:
        raise ValueError("a record without its times is no record")
    return value


def options_to_plain(options: JobOptions) -> dict[str, Any]:
    """Return options as plain data, without those that have their default."""
    default = asdict(JobOptions())
    return {name: value for name, value in asdict(options).items() if value != default[name]}


def options_from(plain: Mapping[str, Any]) -> JobOptions:
    """Return options from the plain data that options_to_plain made of them."""
    known = known_members(JobOptions, plain)
    if "speakers" in known:
        known["speakers"] = SpeakerBounds(**known_members(SpeakerBounds, known["speakers"]))
    if "queue" in known:
        known["queue"] = Queue(known["queue"])
    known["channels"] = tuple(Role(one) for one in known.get("channels", ()))
    return JobOptions(**known)


def fields_of_new_job(new: NewJob, default_retain_seconds: int) -> Fields:
    """Return what the record of a job keeps of the request, for as long as there is a record."""
    options = new.options
    recording = {name: value for name, value in asdict(new.recording).items() if value is not None}
    if new.recording.key == recording_key(new.id):
        del recording["key"]
    kept: Fields = {
        "tenant": new.tenant,
        "queue": options.queue,
        "retain_seconds": default_retain_seconds if options.retain_seconds is None else options.retain_seconds,
        "limits": dump(asdict(new.limits)),
        **recording,
    }
    if options.retain_audio_seconds is not None:
        kept["retain_audio_seconds"] = options.retain_audio_seconds
    if options.reference:
        kept["reference"] = options.reference
    if new.traceparent:
        kept["traceparent"] = new.traceparent
    if options.callback_url:
        kept["callback_url"] = options.callback_url
    others = options_to_plain(replace(options, queue=Queue.INTERACTIVE, reference=None, callback_url=None))
    if others:
        kept["options"] = dump(others)
    return kept


def fields_of_result(job_id: str, nonce: str, result: ResultSummary) -> Fields:
    """Return what the record keeps of a result, without its engine.

    Args:
        nonce: of the attempt, as the record has it.
    """
    counts = {"speakers": result.speakers, "turns": result.turns, "seconds_of_speech": result.seconds_of_speech}
    kept: Fields = {"result": dump(counts)}
    if result.turns_to_review is not None:
        kept["review"] = dump({"turns": result.turns_to_review, "seconds": result.seconds_to_review})
    if result.plausible_speakers is not None:
        kept["count"] = dump({"plausible": result.plausible_speakers, "review": result.speakers_to_review})
    if result.transcription is not None:
        kept |= fields_of_transcription(result.transcription)
    if result.key != result_key(job_id, nonce):
        kept["result_key"] = result.key
    return kept | {TIMING + name: seconds for name, seconds in result.timings.items()}


def fields_of_transcription(found: Transcription) -> Fields:
    """Return what the record keeps of a transcription; scripts count `transcribed` and the code."""
    kept: Fields = {"transcription": dump(asdict(found)), "transcribed": found.audio_seconds}
    return kept if found.error_code is None else kept | {"transcription_code": found.error_code}


def engine_document(result: ResultSummary | None) -> tuple[str, str]:
    """Return the name and the text under which the engine of many results is kept once; empty for no result."""
    if result is None:
        return "", ""
    text = dump(result.engine)
    return hashlib.sha256(text.encode()).hexdigest()[:16], text


def fields_of_end(job_id: str, end: JobEnd) -> Fields:
    """Return what the record keeps of an end."""
    kept: Fields = {"started_at": milliseconds(end.started_at)} if end.started_at else {}
    for attempt in end.attempts:
        kept |= {f"attempt:{attempt.number}:{name}": value for name, value in _attempt_fields(attempt)}
    if end.attempts:
        kept["attempt"] = len(end.attempts)
    if end.error:
        kept |= {"error_code": end.error.code, "error_detail": end.error.detail}
    if end.result:
        nonce = end.result.key.removeprefix(f"{result_folder(job_id)}/").removesuffix(".json")
        kept |= fields_of_result(job_id, nonce, end.result) | {"progress": 1}
        if "result_key" not in kept:
            kept["nonce"] = nonce
    return kept


def _attempt_fields(attempt: Attempt) -> Iterator[tuple[str, str | int]]:
    yield "worker", attempt.worker
    yield "started_at", milliseconds(attempt.started_at)
    if attempt.ended_at:
        yield "ended_at", milliseconds(attempt.ended_at)
    if attempt.error:
        yield "code", attempt.error.code
        yield "detail", attempt.error.detail


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


def transcription_from(plain: Mapping[str, Any] | None) -> Transcription | None:
    """Return what became of the words, from the plain data that asdict made of it."""
    return None if plain is None else Transcription(**known_members(Transcription, plain))


def _words_request(record: Record) -> TranscriptionRequest | None:
    if "words:attempts" not in record:
        return None
    return TranscriptionRequest(
        worker=record.get("words:worker", ""),
        nonce=record.get("words:nonce", ""),
        attempts=int(record["words:attempts"]),
        progress=float(record.get("words:progress", "0")),
    )


def _result(job_id: str, record: Record, engine: dict[str, object]) -> ResultSummary | None:
    if "result" not in record:
        return None
    review = json.loads(record.get("review", "{}"))
    count = json.loads(record.get("count", "{}"))
    return ResultSummary(
        key=record.get("result_key") or result_key(job_id, record["nonce"]),
        engine=engine,
        timings={name.removeprefix(TIMING): float(value) for name, value in record.items() if name.startswith(TIMING)},
        turns_to_review=review.get("turns"),
        seconds_to_review=review.get("seconds"),
        plausible_speakers=tuple(count["plausible"]) if count else None,
        speakers_to_review=count.get("review"),
        transcription=transcription_from(json.loads(record.get("transcription", "null"))),
        **known_members(ResultSummary, json.loads(record["result"])),
    )


def job_from(
    job_id: str, record: Record, engine: dict[str, object] | None = None, forecast: Forecast = NO_FORECAST
) -> Job:
    """Return the job that a record's hash holds.

    Args:
        engine: of its result, which the record only names.

    Raises:
        ValueError, KeyError or TypeError: this version cannot read the record.
    """
    code, phase = record.get("error_code"), record.get("phase")
    options = json.loads(record.get("options", "{}"))
    options |= {name: record[name] for name in ("queue", "reference", "callback_url") if name in record}
    return Job(
        id=job_id,
        tenant=record["tenant"],
        state=JobState(record["state"]),
        options=options_from(options),
        recording=Recording(
            key=record.get("key") or recording_key(job_id),
            sha256=record["sha256"],
            bytes=int(record["bytes"]),
            seconds=float(record["seconds"]),
            media_type=record["media_type"],
            file_name=record.get("file_name"),
        ),
        limits=limits_from(record["limits"]),
        created_at=present(moment(record["created_at"])),
        started_at=moment(record.get("started_at")),
        finished_at=moment(record.get("finished_at")),
        phase=Phase(phase) if phase else None,
        progress=float(record.get("progress", "0")),
        token=int(record.get("token", "0")),
        nonce=record.get("nonce", ""),
        run=int(record.get("run", "0")),
        attempts=tuple(_attempt(record, number) for number in range(1, int(record.get("attempt", "0")) + 1)),
        error=Failure(code, record["error_detail"]) if code else None,
        result=_result(job_id, record, engine or {}),
        position=forecast.position,
        estimate=forecast.estimate,
        traceparent=record.get("traceparent"),
        recording_removed="recording_removed" in record,
        words_request=_words_request(record),
    )


def limits_from(text: str) -> TimeLimits:
    """Return time limits from the record's field."""
    return TimeLimits(**known_members(TimeLimits, json.loads(text)))
