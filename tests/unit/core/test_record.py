"""The record of a job: what is written reads back, and what another version wrote is read as far as it goes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from parley_core.job import Attempt, Failure, JobEnd, JobOptions, JobState, Queue, ResultSummary, SpeakerBounds
from parley_core.recording import recording_key, result_key
from parley_core.redis.record import (
    dump,
    fields_of_end,
    fields_of_new_job,
    fields_of_result,
    job_from,
    options_from,
    options_to_plain,
)
from parley_core.voiceprints import Role
from tests.support.fakes import new_job

ENGINE = {"name": "onnx", "version": "1"}
OPTIONS = JobOptions(
    speakers=SpeakerBounds(1, 3),
    queue=Queue.BATCH,
    reference="consult 7",
    callback_url="https://example.test/done",
    retain_seconds=0,
    speaker_embeddings=True,
    channels=(Role.CLINICIAN, Role.PATIENT),
)
NEW = new_job(options=OPTIONS)
NEW = replace(NEW, recording=replace(NEW.recording, file_name="Visit 7.wav"))
DONE = datetime(2026, 11, 27, 1, 2, 3, 456_000, tzinfo=UTC)
RESULT = ResultSummary(result_key(NEW.id, "abc"), 2, 5, 12.5, ENGINE, {"engine": 1.0, "decoding": 0.25}, 2, 1.25)
STANDING = {"state": "accepted", "created_at": "1764046800000"}  # what scripts add


def record(**more: object) -> dict[str, str]:
    fields = fields_of_new_job(NEW, 60) | STANDING | more
    return {name: str(value) for name, value in fields.items()}


def ended(end: JobEnd) -> dict[str, str]:
    return record(state=end.state, finished_at=int(end.finished_at.timestamp() * 1000), **fields_of_end(NEW.id, end))


def test_a_request_reads_back_whole() -> None:
    job = job_from(NEW.id, record())
    assert (job.tenant, job.options, job.recording, job.limits) == (NEW.tenant, OPTIONS, NEW.recording, NEW.limits)


def test_a_recording_under_another_name_keeps_it() -> None:
    recording = replace(NEW.recording, key=recording_key(NEW.id, "again"))
    fields = {name: str(value) for name, value in fields_of_new_job(replace(NEW, recording=recording), 60).items()}
    assert job_from(NEW.id, fields | STANDING).recording == recording


def test_options_that_nobody_asked_for_take_no_room() -> None:
    assert options_to_plain(JobOptions()) == {}
    assert options_from({}) == JobOptions()
    assert not {"options", "reference", "key"} & fields_of_new_job(new_job(), 60).keys()


@pytest.mark.parametrize(
    "result",
    [
        RESULT,
        replace(RESULT, turns_to_review=None, seconds_to_review=None),
        replace(RESULT, turns_to_review=0, seconds_to_review=0.0),
        replace(RESULT, key="results/elsewhere.json"),
        replace(RESULT, plausible_speakers=(2, 4), speakers_to_review=0),
    ],
    ids=["whole", "without-review", "nothing-to-review", "under-another-name", "with-doubt"],
)
def test_a_result_reads_back_whole(result: ResultSummary) -> None:
    fields = record(state="succeeded", nonce="abc", **fields_of_result(NEW.id, "abc", result))
    assert job_from(NEW.id, fields, ENGINE).result == result


@pytest.mark.parametrize(
    "end",
    [
        JobEnd(JobState.CANCELLED, DONE),
        JobEnd(
            JobState.FAILED,
            DONE,
            DONE - timedelta(seconds=9),
            1,
            (Attempt(1, "w/1", DONE - timedelta(seconds=9), DONE, Failure("engine_error", "It broke.")),),
            Failure("engine_error", "It broke."),
        ),
        JobEnd(JobState.SUCCEEDED, DONE, DONE, 1, (Attempt(1, "w/1", DONE, DONE),), None, RESULT),
    ],
    ids=lambda end: str(end.state),
)
def test_an_end_reads_back_whole(end: JobEnd) -> None:
    job = job_from(NEW.id, ended(end) | {"token": str(end.token)}, ENGINE)
    assert (
        JobEnd(job.state, job.finished_at or DONE, job.started_at, job.token, job.attempts, job.error, job.result)
        == end
    )


def test_what_a_newer_version_added_is_ignored() -> None:
    fields = record(state="succeeded", nonce="abc", **fields_of_result(NEW.id, "abc", RESULT))
    newer = fields | {
        "mood": "good",
        "limits": dump(json.loads(fields["limits"]) | {"mood": 1}),
        "options": dump(json.loads(fields["options"]) | {"mood": 1, "speakers": {"min": 1, "max": 3, "mood": 1}}),
        "result": dump(json.loads(fields["result"]) | {"mood": 1}),
        "review": dump(json.loads(fields["review"]) | {"mood": 1}),
    }
    assert job_from(NEW.id, newer, ENGINE) == job_from(NEW.id, fields, ENGINE)


@pytest.mark.parametrize(
    "damage",
    [
        {"state": "moody"},
        {"limits": "{"},
        {"bytes": "many"},
        {"attempt": "2"},
        {"created_at": ""},
        {"options": "[]"},
        {"phase": "dreaming"},
    ],
    ids=lambda damage: next(iter(damage)),
)
def test_a_damaged_record_is_told_by_an_error_that_readers_skip(damage: dict[str, str]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        job_from(NEW.id, record() | damage)
