"""What both clients send, how they read responses, and how they report errors."""

from __future__ import annotations

import json
import os
import tracemalloc
from pathlib import Path

import pytest

import parley
from parley import Parley, ParleyApiError, ParleyUnavailable, UnexpectedResponse, WaitTimedOut
from parley._upload import CHUNK_BYTES, Upload
from tests.unit.client.conftest import Connect
from tests.unit.client.scripted import JOB_ID, Reply, ScriptedServer, job_document, problem, turns_document

JOB = f"/v1/jobs/{JOB_ID}"


def test_the_public_names_are_these_and_no_others() -> None:
    assert set(parley.__all__) == {
        "ApiKey",
        "AsyncParley",
        "Attempt",
        "AudioQuality",
        "AudioWarning",
        "Batch",
        "BatchItem",
        "BatchSummary",
        "BatchUnfinished",
        "Candidate",
        "Consent",
        "Correction",
        "Delivery",
        "Eta",
        "Failure",
        "Job",
        "Parley",
        "ParleyApiError",
        "ParleyClientError",
        "ParleyConnectionError",
        "ParleyUnavailable",
        "Share",
        "SpeakerCount",
        "SpeakerIdentity",
        "SpeakerPurity",
        "SpokenWord",
        "Transcript",
        "Question",
        "Questions",
        "QueueStatus",
        "Recording",
        "Redecided",
        "ResultSummary",
        "RetryPolicy",
        "SubmitOptions",
        "Turn",
        "Turns",
        "UnexpectedResponse",
        "Usage",
        "UsageOfDay",
        "Voiceprint",
        "WaitTimedOut",
    }
    assert all(hasattr(parley, name) for name in parley.__all__)


def test_submit_sends_the_bytes_with_the_options_and_a_key_of_its_own(
    server: ScriptedServer, client: Parley, recording: Path
) -> None:
    server.on("POST", "/v1/jobs", Reply(202, job_document()))
    job = client.submit(recording, num_speakers=2, queue="batch", reference="consult 7")
    client.submit(recording)
    first, second = server.requests
    assert (job.id, job.state, job.terminal) == (JOB_ID, "accepted", False)
    assert first.body == b"fLaC"
    assert first.query == {
        "num_speakers": "2",
        "queue": "batch",
        "reference": "consult 7",
        "file_name": "consult.flac",
    }
    assert first.headers["Content-Type"] == "audio/flac"
    assert first.headers["Idempotency-Key"] != second.headers["Idempotency-Key"]


def test_a_large_recording_is_read_in_chunks(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    with path.open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    tracemalloc.start()
    read = sum(len(chunk) for chunk in Upload(path).chunks())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert read == path.stat().st_size
    assert peak < 4 * CHUNK_BYTES


@pytest.mark.parametrize("resumable", [False, True])
@pytest.mark.parametrize("bytes_later", [0, CHUNK_BYTES, 9 * CHUNK_BYTES], ids=["empty", "shorter", "longer"])
def test_a_recording_that_changes_while_it_is_sent_is_an_error(
    server: ScriptedServer, client: Parley, tmp_path: Path, bytes_later: int, resumable: bool
) -> None:
    recording = tmp_path / "running.wav"
    recording.write_bytes(bytes(3 * CHUNK_BYTES))
    server.on("POST", "/v1/uploads", Reply(201, headers={"Location": "/v1/uploads/1"}))
    with pytest.raises(OSError, match=r"running\.wav changed while it was sent"):
        client.submit(recording, resumable=resumable, on_bytes=lambda *_: os.truncate(recording, bytes_later))
    assert "/v1/jobs" not in [request.path for request in server.requests if len(request.body) == 3 * CHUNK_BYTES]


def test_what_is_not_a_file_is_not_read(server: ScriptedServer, client: Parley, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="pipe is not a file"):
        client.submit(tmp_path / "pipe")
    assert server.requests == []


def test_the_file_name_can_be_another_one_and_need_not_be_unicode(
    server: ScriptedServer, client: Parley, tmp_path: Path
) -> None:
    server.on("POST", "/v1/jobs", Reply(202, job_document()))
    recording = tmp_path / os.fsdecode(b"caf\xe9.wav")
    recording.write_bytes(b"RIFF")
    client.submit(recording)
    client.submit(recording, file_name="café.wav")
    assert [request.query["file_name"] for request in server.requests] == ["caf?.wav", "café.wav"]


@pytest.mark.parametrize(
    ("link", "place"), [("https://pacs.example/a.wav?sig=1", "url"), ("s3://calls/a b.wav", "object")]
)
def test_a_link_is_sent_instead_of_bytes(server: ScriptedServer, client: Parley, link: str, place: str) -> None:
    server.on("POST", "/v1/jobs", Reply(202, job_document()))
    client.submit(link, num_speakers=2, channels=["clinician", "patient"], speaker_embeddings=True, etag="v1")
    (request,) = server.requests
    assert json.loads(request.body) == {
        place: link, "etag": "v1", "num_speakers": 2, "channels": "clinician,patient", "speaker_embeddings": True
    }  # fmt: skip
    assert (request.query, request.headers["Content-Type"]) == ({}, "application/json")
    assert request.headers["Idempotency-Key"]


def test_what_goes_with_files_or_links_alone_is_a_type_error(client: Parley, recording: Path) -> None:
    with pytest.raises(TypeError, match="transcript"):
        client.submit("https://pacs.example/a.wav", transcript=recording)
    with pytest.raises(TypeError, match="etag"):
        client.submit(recording, etag="v1")


def test_an_unknown_option_is_a_type_error(client: Parley, recording: Path) -> None:
    with pytest.raises(TypeError, match="speakers"):
        client.submit(recording, speakers=2)  # type: ignore[call-arg]


def test_the_api_key_is_sent_as_a_bearer_token(server: ScriptedServer, connect: Connect) -> None:
    server.on("GET", JOB, Reply(document=job_document()))
    connect(server.url, api_key="secret\n").job(JOB_ID)
    assert server.requests[0].headers["Authorization"] == "Bearer secret"


def test_wait_follows_the_job_to_its_end(server: ScriptedServer, client: Parley) -> None:
    states = [job_document(state=state) for state in ("queued", "running", "succeeded")]
    server.on("GET", JOB, *(Reply(document=state) for state in states))
    assert client.wait(JOB_ID).succeeded
    assert [request.query for request in server.requests] == [{}, {"wait": "30.0"}, {"wait": "30.0"}]


def test_wait_with_a_timeout_raises_with_the_job(server: ScriptedServer, client: Parley) -> None:
    server.on("GET", JOB, Reply(document=job_document(state="queued")))
    with pytest.raises(WaitTimedOut, match="still queued") as caught:
        client.wait(JOB_ID, timeout=0.05)
    assert caught.value.job.id == JOB_ID


def test_jobs_walks_all_pages(server: ScriptedServer, client: Parley) -> None:
    server.on(
        "GET",
        "/v1/jobs",
        Reply(document={"jobs": [job_document("a"), job_document("b")], "next_cursor": "page-2"}),
        Reply(document={"jobs": [job_document("c")], "next_cursor": None}),
    )
    assert [job.id for job in client.jobs(state="queued")] == ["a", "b", "c"]
    assert [request.query.get("cursor") for request in server.requests] == [None, "page-2"]
    assert all(request.query["state"] == "queued" for request in server.requests)


def test_turns_come_as_values_and_as_files(server: ScriptedServer, client: Parley) -> None:
    server.on("GET", f"{JOB}/turns", Reply(document=turns_document()), Reply(text="SPEAKER consult 1 0.000\n"))
    turns = client.turns(JOB_ID)
    assert [(turn.start, turn.speaker) for turn in turns.turns] == [(0.0, "SPEAKER_00"), (12.0, "SPEAKER_01")]
    assert [(turn.confidence, turn.needs_review) for turn in turns.turns] == [(None, None), (0.6, True)]
    assert (turns.seconds, turns.speakers) == (30.0, ("SPEAKER_00", "SPEAKER_01"))
    assert client.export(JOB_ID, "rttm") == "SPEAKER consult 1 0.000\n"
    client.export(JOB_ID, "srt", speakers="labels")
    assert [request.query["format"] for request in server.requests] == ["json", "rttm", "srt"]
    assert [request.query.get("speakers") for request in server.requests] == [None, None, "labels"]


def test_a_refusal_is_an_error_with_the_servers_code_and_detail(server: ScriptedServer, client: Parley) -> None:
    server.on("POST", f"{JOB}/cancel", problem(409, "job_already_terminal", "The job has already succeeded."))
    with pytest.raises(ParleyApiError, match="The job has already succeeded") as caught:
        client.cancel(JOB_ID)
    assert (caught.value.status, caught.value.code) == (409, "job_already_terminal")
    assert not isinstance(caught.value, ParleyUnavailable)


def test_a_server_that_is_not_ready_names_the_component_without_retries(
    server: ScriptedServer, client: Parley, pauses: list[float]
) -> None:
    server.on("GET", "/readyz", problem(503, "not_ready", "The job store does not answer.", Retry_After="5"))
    assert client.ready()["detail"] == "The job store does not answer."
    assert pauses == []


@pytest.mark.parametrize(
    "response", [Reply(text="<html>Welcome</html>"), Reply(document=[1]), Reply(document={"id": 1})]
)
def test_a_response_of_another_server_is_unexpected(server: ScriptedServer, client: Parley, response: Reply) -> None:
    server.on("GET", JOB, response)
    with pytest.raises(UnexpectedResponse, match="PARLEY_URL"):
        client.job(JOB_ID)


def test_an_error_page_of_a_proxy_has_its_status_as_code(server: ScriptedServer, client: Parley) -> None:
    server.on("GET", JOB, Reply(403, text="<html>Forbidden</html>"))
    with pytest.raises(ParleyApiError, match="403 http_403"):
        client.job(JOB_ID)


def test_a_job_id_is_one_segment_of_the_path(server: ScriptedServer, client: Parley) -> None:
    with pytest.raises(ParleyApiError):
        client.job("../../readyz?x=1")
    assert server.requests[0].path == "/v1/jobs/..%2F..%2Freadyz%3Fx%3D1"


@pytest.mark.parametrize("url", ["parley.example:7001", "ftp://parley.example", "http://", "http://a\x00b"])
def test_an_invalid_address_is_refused_at_once(connect: Connect, url: str) -> None:
    with pytest.raises(ValueError, match="is not the address of a server"):
        connect(url)


def test_a_proxy_of_the_environment_is_not_used_for_this_machine(
    server: ScriptedServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    server.on("GET", JOB, Reply(document=job_document()))
    assert connect(server.url, retry=parley.RetryPolicy(tries=1)).job(JOB_ID).id == JOB_ID
