"""The result document: what is written is read again, in every version, and nothing of the wrong type gets through."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from parley_core.job import Job, JobOptions, JobState
from parley_core.result_document import FORMAT_VERSION, ResultDocument
from parley_core.turns import (
    PURITY_REVIEW_BELOW,
    REVIEW_BELOW,
    AudioQuality,
    AudioWarning,
    Diarization,
    EngineInfo,
    Span,
    SpeakerCount,
    Turn,
)
from parley_core.voiceprints import Role
from tests.support.fakes import new_job

PARAMETERS = {REVIEW_BELOW: 0.7, PURITY_REVIEW_BELOW: 0.5, "clustering": {"threshold": 0.5}}
ENGINE = EngineInfo("engine", "2", {"model.onnx": "ab" * 32}, PARAMETERS)
FOUND = Diarization(
    turns=(Turn(0.25, 3.5, "SPEAKER_00", 0.9), Turn(3.0, 4.0, "SPEAKER_01", 0.69)),
    exclusive_turns=(Turn(0.25, 3.5, "SPEAKER_00", 0.9), Turn(3.5, 4.0, "SPEAKER_01", 0.69)),
    overlaps=(Span(3.0, 3.5),),
    speaker_count=SpeakerCount(2, (1, 3)),
    purity={"SPEAKER_00": 0.25, "SPEAKER_01": 0.75},
    audio_quality=AudioQuality({"signal_to_noise_db": 1.5}, (AudioWarning("noise", "It is loud.", True),)),
    speaker_embeddings={"SPEAKER_00": (0.6, 0.8)},
    embedding_model="model/abc",
)


def job(options: JobOptions | None = None, seconds: float = 4.0) -> Job:
    new = new_job(options=options, seconds=seconds)
    return Job(new.id, new.tenant, JobState.RUNNING, new.options, new.recording, new.limits, datetime.now(UTC))


@pytest.fixture
def document() -> ResultDocument:
    return ResultDocument.of(job(JobOptions(speaker_embeddings=True)), FOUND, ENGINE, {"SPEAKER_00": Role.CLINICIAN})


def test_what_is_written_is_read_again(document: ResultDocument) -> None:
    assert document.format_version == FORMAT_VERSION
    assert ResultDocument.from_json(document.to_json()) == document


def test_members_are_written_in_reading_order(document: ResultDocument) -> None:
    plain = json.loads(document.to_json())
    assert list(plain) == [
        "format_version", "job_id", "recording", "speakers", "turns", "exclusive_turns", "overlaps", "engine",
        "speaker_count", "purity", "audio_quality", "roles", "speaker_embeddings", "embedding_model",
    ]  # fmt: skip
    assert list(plain["turns"][0]) == ["start", "end", "speaker", "confidence"]


def test_seconds_are_whole_milliseconds() -> None:
    turns = (Turn(0.12345678, 1.98765432, "SPEAKER_00"),)
    found = Diarization(turns, turns, (Span(1.00049, 1.5001),))
    document = ResultDocument.of(job(seconds=3.14159265), found, ENGINE, {})
    assert document.turns == document.exclusive_turns == (Turn(0.123, 1.988, "SPEAKER_00"),)
    assert document.overlaps == (Span(1.0, 1.5),)
    assert document.recording.seconds == 3.142
    assert b"0.123," in document.to_json()


def test_embeddings_stay_out_of_documents_whose_job_does_not_ask_for_them() -> None:
    document = ResultDocument.of(job(), FOUND, ENGINE, {})
    assert (document.speaker_embeddings, document.embedding_model) == ({}, "")
    assert b"0.6" not in document.to_json().partition(b'"roles"')[2]


def test_members_of_a_newer_version_are_ignored(document: ResultDocument) -> None:
    plain = json.loads(document.to_json())
    plain |= {"format_version": FORMAT_VERSION + 1, "words": [{"text": "hello"}]}
    plain["turns"][0]["emotion"] = plain["overlaps"][0]["kind"] = plain["recording"]["channels"] = "new"
    plain["engine"]["device"] = "cuda"
    assert ResultDocument.from_json(json.dumps(plain).encode()) == replace(document, format_version=FORMAT_VERSION + 1)


def test_optional_members_may_be_missing(document: ResultDocument) -> None:
    plain = json.loads(document.to_json())
    for name in ("speaker_count", "purity", "audio_quality", "roles", "speaker_embeddings", "embedding_model"):
        del plain[name]
    read = ResultDocument.from_json(json.dumps(plain).encode())
    assert (read.speaker_count, read.purity, read.audio_quality) == (None, {}, None)
    assert (read.roles, read.speaker_embeddings, read.embedding_model) == ({}, {}, "")


def changed(plain: dict[str, Any], path: str, value: object) -> bytes:
    *way, last = path.split(".")
    place: Any = plain
    for step in way:
        place = place[int(step) if step.isdigit() else step]
    place[last] = value
    return json.dumps(plain).encode()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("job_id", 7),
        ("format_version", "1"),
        ("recording", None),
        ("recording.seconds", "4.0"),
        ("speakers", "SPEAKER_00"),
        ("turns", {"0": {}}),
        ("turns.0.start", "0.25"),
        ("turns.0.end", True),
        ("turns.0.speaker", None),
        ("turns.0.confidence", "0.9"),
        ("overlaps.0.start", None),
        ("engine.weights", ["model.onnx"]),
        ("speaker_count.found", "2"),
        ("speaker_count.plausible", [2]),
        ("purity.SPEAKER_00", None),
        ("roles.SPEAKER_00", "nurse"),
        ("speaker_embeddings.SPEAKER_00", "0.6 0.8"),
        ("speaker_embeddings.SPEAKER_00", [0.6, "0.8"]),
        ("embedding_model", None),
    ],
)
def test_a_member_of_the_wrong_type_is_refused_by_name_without_its_value(
    document: ResultDocument, path: str, value: object
) -> None:
    with pytest.raises(ValueError, match=f"not a result document: {path}") as refused:
        ResultDocument.from_json(changed(json.loads(document.to_json()), path, value))
    assert "0.6" not in str(refused.value)
    assert "input" not in str(refused.value).replace("Input should be", "")


@pytest.mark.parametrize("text", [b"", b"[]", b"null", b"{", b'{"job_id": "x"}'])
def test_what_is_no_result_document_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="not a result document"):
        ResultDocument.from_json(text)


def test_the_summary_counts_what_needs_review(document: ResultDocument) -> None:
    summary = document.summary("results/1.json", {"engine": 0.5})
    assert (summary.key, summary.speakers, summary.turns, summary.seconds_of_speech) == ("results/1.json", 2, 2, 3.75)
    assert (summary.turns_to_review, summary.seconds_to_review) == (1, 1.0)
    assert (summary.plausible_speakers, summary.speakers_to_review) == ((1, 3), 1)
    assert summary.engine["parameters"] == ENGINE.parameters


def test_speech_counts_overlap_once() -> None:
    turns = (Turn(0.5, 2.0, "SPEAKER_00"), Turn(1.5, 3.25, "SPEAKER_01"), Turn(4.0, 5.0, "SPEAKER_00"))
    summary = ResultDocument.of(job(), Diarization(turns, turns, ()), ENGINE, {}).summary("key", {})
    assert summary.seconds_of_speech == 3.75


def test_without_a_bound_nothing_is_said_of_review(document: ResultDocument) -> None:
    summary = replace(document, engine=EngineInfo("engine", "2")).summary("results/1.json", {})
    assert summary.turns_to_review is summary.seconds_to_review is None


def test_an_engine_that_knows_no_doubt_leaves_it_open(document: ResultDocument) -> None:
    summary = replace(document, speaker_count=None, purity={}).summary("results/1.json", {})
    assert summary.plausible_speakers is summary.speakers_to_review is None
