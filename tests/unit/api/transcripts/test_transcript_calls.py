"""The transcript of a job over HTTP: sent with the recording or later, and read with a speaker per word."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from parley_api.intake import upload
from parley_core.errors import JobStoreFull, ObjectStoreUnavailable
from parley_core.frame_evidence import FrameEvidence
from parley_core.recording import evidence_key, result_folder, transcript_key
from parley_core.settings import Settings
from parley_core.transcript import Transcript, Transcription, Word
from tests.support.api_fixture import AUDIO, ENGINE, ApiFixture, assert_problem, form, succeed
from tests.support.recognisers import Spoken, written

pytestmark = pytest.mark.anyio

RAW = {"Content-Type": "audio/flac"}
JSON = {"Content-Type": "application/json"}
SAID: Spoken = [("Good", 0.1, 0.4), ("morning.", 0.4, 0.9), ("<b>Hello.</b>", 1.6, 2.0)]
TURNS = [
    {"start": 0.1, "end": 1.0, "speaker": "SPEAKER_00", "confidence": 0.9},
    {"start": 1.5, "end": 2.1, "speaker": "SPEAKER_01", "confidence": 0.9},
]
FOUND = {"turns": TURNS, "exclusive_turns": TURNS, "speakers": ["SPEAKER_00", "SPEAKER_01"], "engine": ENGINE}
BODY = written("OpenAI", SAID)


async def submitted(client: httpx.AsyncClient, transcript: bytes | None = None, **headers: str) -> Any:
    parts = [("audio", AUDIO)] if transcript is None else [("audio", AUDIO), ("transcript", transcript)]
    body, content_type = form(*parts)
    return (await client.post("/v1/jobs", content=body, headers=content_type | headers)).json()


async def test_a_transcript_is_sent_after_the_end_of_the_job(api: ApiFixture, client: httpx.AsyncClient) -> None:
    job = await submitted(client)
    succeed(api, job["id"], **FOUND)
    url = f"/v1/jobs/{job['id']}/transcript"
    assert_problem(await client.get(url), 404, "transcript_not_found")
    sent = await client.post(url, content=BODY, headers=JSON)
    assert (sent.status_code, sent.json()) == (201, {"job_id": job["id"], "words": 3, "format": "openai"})
    read = (await client.get(url)).json()
    assert [(word["text"], word["speaker"]) for word in read["words"]] == [
        ("Good", "SPEAKER_00"), ("morning.", "SPEAKER_00"), ("<b>Hello.</b>", "SPEAKER_01"),
    ]  # fmt: skip
    assert [(one["text"], one["first_word"], one["words"]) for one in read["utterances"]] == [
        ("Good morning.", 0, 2), ("<b>Hello.</b>", 2, 1),
    ]  # fmt: skip
    turns = (await client.get(f"/v1/jobs/{job['id']}/turns")).json()
    assert [turn["text"] for turn in turns["turns"]] == ["Good morning.", "<b>Hello.</b>"]
    assert "text" not in turns["exclusive_turns"][0]
    bare = (await client.get(f"/v1/jobs/{job['id']}/turns?text=false")).json()
    assert bare == turns | {"has_text": True} | {
        "turns": [{key: turn[key] for key in turn if key != "text"} for turn in turns["turns"]]
    }
    refused = await client.get(f"/v1/jobs/{job['id']}/turns?text=false&format=srt")
    assert_problem(refused, 422, "invalid_option")


@pytest.mark.parametrize("order", [1, -1])
async def test_a_transcript_comes_with_the_recording(api: ApiFixture, client: httpx.AsyncClient, order: int) -> None:
    parts = [("audio", AUDIO), ("transcript", BODY)][::order]
    body, headers = form(*parts, file="transcript")
    body = body.replace(b'name="audio"', b'name="audio"; filename="visit.flac"')
    job = (await client.post("/v1/jobs", content=body, headers=headers)).json()
    assert transcript_key(job["id"]) in api.sounds
    assert_problem(await client.get(f"/v1/jobs/{job['id']}/transcript"), 409, "job_not_finished")
    succeed(api, job["id"], **FOUND)
    text = await client.get(f"/v1/jobs/{job['id']}/turns", params={"format": "vtt"})
    assert "<v SPEAKER_00>Good morning.</v>" in text.text
    assert "<v SPEAKER_01>&lt;b&gt;Hello.&lt;/b&gt;</v>" in text.text


@pytest.mark.parametrize("name", ["txt", "md", "srt", "csv", "textgrid", "eaf", "audacity", "diarized_json"])
async def test_every_format_has_the_text(api: ApiFixture, client: httpx.AsyncClient, name: str) -> None:
    job = await submitted(client, BODY)
    succeed(api, job["id"], **FOUND)
    response = await client.get(f"/v1/jobs/{job['id']}/turns", params={"format": name})
    assert "Good morning" in response.text.replace("\\", "")


async def test_words_of_a_recording_without_speakers_are_nobodys(api: ApiFixture, client: httpx.AsyncClient) -> None:
    job = await submitted(client, BODY)
    succeed(api, job["id"], turns=[], exclusive_turns=[], speakers=[])
    url = f"/v1/jobs/{job['id']}"
    words = (await client.get(f"{url}/transcript")).json()["words"]
    assert {(word["speaker"], word["confidence"]) for word in words} == {(None, 0.0)}
    assert (await client.get(f"{url}/turns")).json()["turns"] == []
    for name in ("txt", "vtt", "csv", "textgrid", "eaf", "diarized_json"):
        response = await client.get(f"{url}/turns", params={"format": name})
        assert "UNKNOWN" in response.text, name


async def test_the_engines_evidence_decides(api: ApiFixture, client: httpx.AsyncClient) -> None:
    job = await submitted(client, BODY)
    succeed(api, job["id"], **FOUND)
    key = evidence_key(next(key for key in api.sounds if key.endswith(".json")))
    levels = FrameEvidence(("SPEAKER_00", "SPEAKER_01"), 0.025, 0.05, bytes([0, 255] * 60))
    api.recordings.put(key, levels.to_bytes())
    words = (await client.get(f"/v1/jobs/{job['id']}/transcript")).json()["words"]
    assert {word["speaker"] for word in words} == {"SPEAKER_01"}


async def test_words_follow_the_corrections_of_turns(api: ApiFixture, client: httpx.AsyncClient) -> None:
    job = await submitted(client, BODY)
    succeed(api, job["id"], **FOUND)
    url = f"/v1/jobs/{job['id']}"
    merge = {"operation": "merge_speakers", "speaker": "SPEAKER_01", "into": "SPEAKER_00"}
    name = {"operation": "rename_speaker", "speaker": "SPEAKER_00", "name": "Dr. Weber"}
    asked = {"author": "Weber", "base_version": 0, "operations": [merge, name]}
    assert (await client.post(f"{url}/corrections", json=asked)).status_code == 201
    read = await client.get(f"{url}/transcript")
    assert {word["speaker"] for word in read.json()["words"]} == {"SPEAKER_00"}
    assert (read.headers["result-version"], read.json()["version"]) == ("1", 1)
    assert read.json()["identities"][0]["name"] == "Dr. Weber"
    text = (await client.get(f"{url}/turns", params={"format": "txt"})).text
    assert "Dr. Weber: Good morning. <b>Hello.</b>" in text
    before = (await client.get(f"{url}/transcript", params={"version": 0})).json()
    assert [word["speaker"] for word in before["words"]] == ["SPEAKER_00", "SPEAKER_00", "SPEAKER_01"]


async def test_a_later_transcript_takes_the_place_of_the_first_and_goes_with_its_job(
    api: ApiFixture, client: httpx.AsyncClient
) -> None:
    job = await submitted(client, BODY)
    succeed(api, job["id"], **FOUND)
    url = f"/v1/jobs/{job['id']}"
    body, headers = form(("transcript", b"WEBVTT\n\n00:00.000 --> 00:01.000\nWell then\n"), file="transcript")
    assert (await client.post(f"{url}/transcript", content=body, headers=headers)).json()["format"] == "vtt"
    assert len((await client.get(f"{url}/transcript")).json()["words"]) == 2
    receipt = (await client.delete(url)).json()
    assert receipt["removed"] == ["recording", "result", "transcript", "record"]
    assert api.sounds == {}
    assert_problem(await client.post(f"{url}/transcript", content=BODY, headers=JSON), 410, "job_purged")
    assert api.sounds == {}


async def test_a_job_that_is_deleted_meanwhile_keeps_no_transcript(
    api: ApiFixture, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await submitted(client)
    succeed(api, job["id"], **FOUND)
    put = api.recordings.put

    def put_late(key: str, data: bytes) -> None:
        monkeypatch.setattr(api.recordings, "put", put)
        api.durable.remove(api.store.get(job["id"]))
        put(key, data)

    monkeypatch.setattr(api.recordings, "put", put_late)
    sent = await client.post(f"/v1/jobs/{job['id']}/transcript", content=BODY, headers=JSON)
    assert_problem(sent, 410, "job_purged")
    assert api.sounds == {}


LATE = json.dumps([{"word": "late", "start": 14, "end": 15}]).encode()
REFUSED = [
    (b"{", "invalid_transcript", 422), (b"Good morning.", "invalid_transcript", 422), (LATE, "invalid_transcript", 422),
    (b"[]" + b" " * 2000, "body_too_large", 413),
]  # fmt: skip


@pytest.mark.parametrize(("body", "code", "status"), REFUSED)
async def test_a_bad_transcript_leaves_nothing_behind(
    api: ApiFixture, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, body: bytes, code: str, status: int
) -> None:
    monkeypatch.setattr(upload, "MAX_TRANSCRIPT_BYTES", 1000)
    for parts in ([("transcript", body), ("audio", AUDIO)], [("audio", AUDIO), ("transcript", body)]):
        content, headers = form(*parts)
        assert_problem(await client.post("/v1/jobs", content=content, headers=headers), status, code)
        assert api.empty()
    job = await submitted(client)
    before = dict(api.sounds)
    sent = await client.post(f"/v1/jobs/{job['id']}/transcript", content=body, headers=JSON)
    assert_problem(sent, status, code)
    assert api.sounds == before


async def test_a_transcript_given_twice_or_in_another_part_is_refused(
    api: ApiFixture, client: httpx.AsyncClient
) -> None:
    twice, headers = form(("transcript", BODY), ("transcript", BODY), ("audio", AUDIO))
    assert_problem(await client.post("/v1/jobs", content=twice, headers=headers), 422, "invalid_option")
    assert api.empty()
    job = await submitted(client)
    url = f"/v1/jobs/{job['id']}/transcript"
    other, headers = form(("words", BODY), file="words")
    assert_problem(await client.post(url, content=other, headers=headers), 422, "invalid_transcript")
    page = await client.post(url, content=BODY, headers={"Content-Type": "text/html"})
    assert_problem(page, 415, "unsupported_media_type")
    for name, code in (("x", "invalid_option"), ("aws", "invalid_transcript")):
        sent = await client.post(url, content=BODY, headers=JSON, params={"format": name})
        assert_problem(sent, 422, code)


async def test_a_refused_job_leaves_no_transcript(
    api: ApiFixture, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.store, "create", _full)
    content, headers = form(("audio", AUDIO), ("transcript", BODY))
    assert_problem(await client.post("/v1/jobs", content=content, headers=headers), 503, "job_store_full")
    assert api.sounds == {}


def _full(*_: object) -> None:
    raise JobStoreFull("Redis is full.")


async def test_an_idempotency_key_stands_for_the_words_too(api: ApiFixture, client: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "visit-1"}
    job = await submitted(client, BODY, **key)
    again = await submitted(client, BODY, **key)
    assert again["id"] == job["id"]
    assert transcript_key(job["id"]) in api.sounds
    assert len(api.sounds) == 2
    assert (await submitted(client, None, **key))["code"] == "idempotency_key_reused"


async def test_an_object_store_that_is_down_says_so(
    api: ApiFixture, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await submitted(client)

    def down(*_: object) -> None:
        raise ObjectStoreUnavailable("The object store does not answer.")

    monkeypatch.setattr(api.recordings, "put", down)
    sent = await client.post(f"/v1/jobs/{job['id']}/transcript", content=BODY, headers=JSON)
    assert_problem(sent, 503, "object_store_unavailable")


RECOGNISED = Transcript((Word("Good", 100, 400), Word("morning.", 400, 900)), "openai")


@pytest.fixture
def recognising() -> ApiFixture:
    """An API whose workers have a recogniser."""
    return ApiFixture(Settings(max_recording_bytes=100_000, asr_url="http://127.0.0.1:9/v1"))


async def test_words_of_the_recogniser_are_read_until_a_caller_sends_others(recognising: ApiFixture) -> None:
    async with recognising.client() as client:
        job = (await client.post("/v1/jobs?transcribe=true", content=AUDIO, headers=RAW)).json()
        assert job["transcribe"] is True
        recognising.recordings.put(f"{result_folder(job['id'])}/1.words", RECOGNISED.to_json())
        succeed(recognising, job["id"], Transcription(words=2, audio_seconds=3.0), **FOUND)
        ended = (await client.get(f"/v1/jobs/{job['id']}")).json()
        words = ended["result"]["transcription"]
        assert (words["state"], words["words"], words["audio_seconds"], words["error"]) == ("succeeded", 2, 3.0, None)
        assert ended["result"]["usage"]["transcribed_seconds"] == 3.0
        turns = f"/v1/jobs/{job['id']}/turns"
        assert [turn["text"] for turn in (await client.get(turns)).json()["turns"]] == ["Good morning.", ""]
        assert (await client.get(f"{turns}?text=false")).json()["has_text"] is True
        await client.post(f"/v1/jobs/{job['id']}/transcript", content=BODY, headers=JSON)
        assert [turn["text"] for turn in (await client.get(turns)).json()["turns"]][1] == "<b>Hello.</b>"


async def test_a_job_whose_recogniser_failed_says_so_and_has_turns(recognising: ApiFixture) -> None:
    async with recognising.client() as client:
        job = (await client.post("/v1/jobs?transcribe=true", content=AUDIO, headers=RAW)).json()
        lost = Transcription(error_code="recogniser_unavailable", error_detail="The recogniser cannot be reached.")
        succeed(recognising, job["id"], lost, **FOUND)
        ended = (await client.get(f"/v1/jobs/{job['id']}")).json()
        error = {"code": "recogniser_unavailable", "detail": "The recogniser cannot be reached."}
        assert (ended["state"], ended["result"]["transcription"]["error"]) == ("succeeded", error)
        turns = (await client.get(f"/v1/jobs/{job['id']}/turns?text=false")).json()
        assert (len(turns["turns"]), turns["has_text"]) == (2, False)


async def test_words_are_refused_early_where_they_cannot_come(api: ApiFixture, recognising: ApiFixture) -> None:
    async with api.client() as client:
        assert (await client.get("/readyz")).json()["transcribes"] is False
        refused = await client.post("/v1/jobs?transcribe=true", content=AUDIO, headers=RAW)
        assert_problem(refused, 422, "invalid_option")
    assert api.sounds == {}
    async with recognising.client() as client:
        assert (await client.get("/readyz")).json()["transcribes"] is True
        body, headers = form(("transcribe", b"true"), ("audio", AUDIO), ("transcript", BODY))
        assert_problem(await client.post("/v1/jobs", content=body, headers=headers), 422, "invalid_option")
    assert recognising.sounds == {}


async def test_words_are_asked_for_after_success_and_once(api: ApiFixture, recognising: ApiFixture) -> None:
    async with api.client() as client:
        job = await submitted(client)
        succeed(api, job["id"], **FOUND)
        assert_problem(await client.post(f"/v1/jobs/{job['id']}/transcribe"), 422, "invalid_option")
    async with recognising.client() as client:
        job = await submitted(client)
        path = f"/v1/jobs/{job['id']}/transcribe"
        assert_problem(await client.post(path), 409, "job_not_finished")
        succeed(recognising, job["id"], Transcription(words=2, audio_seconds=3.0), **FOUND)
        there = await client.post(path)  # asks nobody: this API has no Redis
        assert (there.status_code, there.json()["result"]["transcription"]["state"]) == (202, "succeeded")
        assert_problem(await client.post(f"{path}?again=true"), 422, "unknown_option")
