"""A recording comes in over HTTP: whole, however it is cut, or not at all."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest

from parley_api.intake import upload
from parley_api.schemas import clean_file_name
from parley_api.use_cases import submit
from parley_core.durable_job_store import DurableJobStore
from parley_core.errors import JobStoreFull, JobStoreUnavailable, ObjectStoreUnavailable
from parley_core.job import DEFAULT_TENANT, JobOptions, JobQuery, Queue, SpeakerBounds
from tests.support.api_fixture import AUDIO, DAMAGED, ApiFixture, assert_problem, form, in_chunks
from tests.support.waiting import HANG_SECONDS

pytestmark = pytest.mark.anyio

RAW = {"Content-Type": "audio/flac"}


async def test_a_form_is_accepted_stored_hashed_and_published(api: ApiFixture, client: httpx.AsyncClient) -> None:
    body, headers = form(("audio", AUDIO), ("num_speakers", b"2"), ("reference", b"consult-4711"))
    response = await client.post("/v1/jobs", content=body, headers=headers)
    assert response.status_code == 202
    job = response.json()
    assert response.headers["location"] == f"/v1/jobs/{job['id']}" == job["links"]["self"]
    assert job["recording"] == {
        "sha256": hashlib.sha256(AUDIO).hexdigest(),
        "bytes": len(AUDIO),
        "seconds": 3.0,
        "media_type": "audio/flac",
        "file_name": "patient name.flac",
        "kept": True,
    }
    assert (job["state"], job["reference"], job["speakers"]) == ("queued", "consult-4711", {"min": 2, "max": 2})
    assert list(api.sounds.values()) == [AUDIO]
    assert [dispatch.job_id for dispatch in api.queue.published] == [job["id"]]


async def test_a_job_has_exactly_the_members_of_the_contract(client: httpx.AsyncClient) -> None:
    job = (await client.post("/v1/jobs", content=AUDIO, headers=RAW)).json()
    assert set(job) == {
        "id", "state", "queue", "reference", "created_at", "started_at", "finished_at", "recording", "speakers",
        "speaker_embeddings", "transcribe", "channels", "position", "eta_seconds", "eta", "phase", "progress",
        "attempts", "error", "result", "links",
    }  # fmt: skip
    assert set(job["links"]) == {"self", "events", "timeline", "audio"}  # no turns yet, so no link to them
    assert job["created_at"].endswith("Z")
    assert datetime.fromisoformat(job["created_at"]).tzinfo is not None


async def test_a_raw_body_takes_its_options_from_the_query(api: ApiFixture, client: httpx.AsyncClient) -> None:
    options = {"min_speakers": "2", "max_speakers": "4", "queue": "batch", "retain_seconds": "60"}
    response = await client.post("/v1/jobs", params=options, content=AUDIO, headers=RAW)
    stored = api.store.get(response.json()["id"]).options
    assert stored == JobOptions(SpeakerBounds(2, 4), Queue.BATCH, reference=None, retain_seconds=60)


@pytest.mark.parametrize("media_type", ["audio/wav", "application/octet-stream", "video/mp4", "video/webm"])
async def test_the_bytes_count_and_not_the_media_type(client: httpx.AsyncClient, media_type: str) -> None:
    response = await client.post("/v1/jobs", content=AUDIO, headers={"Content-Type": media_type})
    assert response.json()["recording"]["media_type"] == "audio/flac"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
@pytest.mark.parametrize("audio_first", [True, False])
async def test_a_form_may_be_cut_anywhere(
    api: ApiFixture, client: httpx.AsyncClient, size: int, audio_first: bool
) -> None:
    audio = b"fLaC \r\n--b0undar \r\n--b0undary!\r\n-- \r\n\r\n" + AUDIO[:300]  # all but the boundary itself
    parts = [("audio", audio), ("max_speakers", b"3"), ("queue", b"batch")]
    body, headers = form(*(parts if audio_first else parts[::-1]))
    response = await client.post("/v1/jobs", content=in_chunks(body, size), headers=headers)
    assert response.status_code == 202, response.text
    assert list(api.sounds.values()) == [audio]
    assert response.json()["speakers"] == {"min": None, "max": 3}
    assert response.json()["queue"] == "batch"


async def test_an_epilogue_after_the_last_boundary_is_ignored(client: httpx.AsyncClient) -> None:
    body, headers = form(("audio", AUDIO))
    assert (await client.post("/v1/jobs", content=body + b"\r\nepilogue", headers=headers)).status_code == 202


def cut(body: bytes) -> bytes:
    return body[: len(body) * 2 // 3]


FORM = {"Content-Type": "multipart/form-data; boundary=b0undary"}
BAD_BODIES: dict[str, tuple[bytes, dict[str, str], int, str]] = {
    "empty body": (b"", RAW, 422, "empty_recording"),
    "empty audio part": (*form(("audio", b"")), 422, "empty_recording"),
    "empty form": (*form(), 422, "audio_missing"),
    "no audio part": (*form(("num_speakers", b"2")), 422, "audio_missing"),
    "audio in another part": (*form(("file", AUDIO), file="file"), 422, "audio_missing"),
    "text renamed to .wav": (b"Dear colleague,\n" * 400, {"Content-Type": "audio/wav"}, 415, "not_audio"),
    "text in the audio part": (*form(("audio", b"Dear colleague")), 415, "not_audio"),
    "playlist of local files": (b"#EXTM3U\nfile:///etc/passwd\n", RAW, 415, "not_audio"),
    "damaged recording": (DAMAGED, RAW, 422, "unreadable_recording"),
    "damaged recording in a form": (*form(("audio", DAMAGED)), 422, "unreadable_recording"),
    "larger than the limit": (AUDIO * 20, RAW, 413, "recording_too_large"),
    "larger than the limit in a form": (*form(("audio", AUDIO * 20)), 413, "recording_too_large"),
    "two recordings": (*form(("audio", AUDIO), ("audio", AUDIO)), 422, "invalid_option"),
    "an option twice": (*form(("queue", b"batch"), ("queue", b"batch"), ("audio", AUDIO)), 422, "invalid_option"),
    "unknown option before": (*form(("speakers", b"2"), ("audio", AUDIO)), 422, "unknown_option"),
    "unknown option after": (*form(("audio", AUDIO), ("speakers", b"2")), 422, "unknown_option"),
    "bad option after": (*form(("audio", AUDIO), ("num_speakers", b"many")), 422, "invalid_option"),
    "huge option": (*form(("reference", b"x" * 5000), ("audio", AUDIO)), 422, "invalid_option"),
    "option of no text": (*form(("reference", b"\xff\xfe"), ("audio", AUDIO)), 422, "invalid_option"),
    "cut off in the audio": (cut(form(("audio", AUDIO))[0]), FORM, 422, "malformed_body"),
    "cut off in the last boundary": (form(("audio", AUDIO))[0][:-5], FORM, 422, "malformed_body"),
    "cut off in a header": (b"--b0undary\r\nContent-Dispo", FORM, 422, "malformed_body"),
    "no form at all": (AUDIO, FORM, 422, "malformed_body"),
    "part without a name": (b"--b0undary\r\nX-A: b\r\n\r\nv\r\n--b0undary--\r\n", FORM, 422, "malformed_body"),
    "huge part header": (b"--b0undary\r\nX-A: " + b"a" * 9999, FORM, 422, "malformed_body"),
    "missing boundary": (form(("audio", AUDIO))[0], {"Content-Type": "multipart/form-data"}, 422, "malformed_body"),
    "long boundary": (
        form(("audio", AUDIO))[0],
        {"Content-Type": "multipart/form-data; boundary=" + "b" * 999},
        422,
        "malformed_body",
    ),
    "JSON without a link": (b"{}", {"Content-Type": "application/json"}, 422, "invalid_option"),
    "URL-encoded form": (
        b"num_speakers=2",
        {"Content-Type": "application/x-www-form-urlencoded"},
        415,
        "unsupported_media_type",
    ),
    "no Content-Type": (AUDIO, {}, 415, "unsupported_media_type"),
}


@pytest.mark.parametrize(("body", "headers", "status", "code"), BAD_BODIES.values(), ids=BAD_BODIES.keys())
@pytest.mark.parametrize("streamed", [False, True], ids=["with length", "streamed"])
async def test_a_bad_body_is_a_problem_and_leaves_nothing(
    api: ApiFixture,
    client: httpx.AsyncClient,
    body: bytes,
    headers: dict[str, str],
    status: int,
    code: str,
    streamed: bool,
) -> None:
    content: Any = in_chunks(body, 1000) if streamed else body
    assert_problem(await client.post("/v1/jobs", content=content, headers=headers), status, code)
    assert api.empty()


async def test_a_form_of_a_hundred_parts_is_refused_before_they_are_read(
    api: ApiFixture, client: httpx.AsyncClient
) -> None:
    body, headers = form(*[(f"part{number}", b"") for number in range(100)])
    assert_problem(await client.post("/v1/jobs", content=body, headers=headers), 422, "malformed_body")
    assert api.empty()


BAD_OPTIONS: dict[str, tuple[dict[str, str], str]] = {
    "min above max": ({"min_speakers": "3", "max_speakers": "2"}, "invalid_option"),
    "negative": ({"min_speakers": "-1"}, "invalid_option"),
    "zero": ({"num_speakers": "0"}, "invalid_option"),
    "ten thousand": ({"max_speakers": "10000"}, "invalid_option"),
    "not a number": ({"num_speakers": "two"}, "invalid_option"),
    "a fraction": ({"num_speakers": "2.0"}, "invalid_option"),
    "digits of another script": ({"num_speakers": "٢"}, "invalid_option"),
    "number and bounds": ({"num_speakers": "2", "max_speakers": "2"}, "invalid_option"),
    "unknown queue": ({"queue": "express"}, "invalid_option"),
    "empty reference": ({"reference": ""}, "invalid_option"),
    "long reference": ({"reference": "x" * 201}, "invalid_option"),
    "reference over two lines": ({"reference": "a\nb"}, "invalid_option"),
    "negative retention": ({"retain_seconds": "-5"}, "invalid_option"),
    "retention over the limit of 7 days": ({"retain_seconds": str(7 * 86400 + 1)}, "invalid_option"),
    "endless retention": ({"retain_seconds": "9" * 30}, "invalid_option"),
    "unknown option": ({"speaker_count": "2"}, "unknown_option"),
    "deliveries without a secret": ({"callback_url": "https://example.org/hook"}, "invalid_option"),
}


@pytest.mark.parametrize(("options", "code"), BAD_OPTIONS.values(), ids=BAD_OPTIONS.keys())
@pytest.mark.parametrize("in_form", [False, True], ids=["query", "form"])
async def test_a_bad_option_is_a_problem_and_leaves_nothing(
    api: ApiFixture, client: httpx.AsyncClient, options: dict[str, str], code: str, in_form: bool
) -> None:
    if in_form:
        body, headers = form(("audio", AUDIO), *((name, value.encode()) for name, value in options.items()))
        response = await client.post("/v1/jobs", content=body, headers=headers)
    else:
        response = await client.post("/v1/jobs", params=options, content=AUDIO, headers=RAW)
    assert_problem(response, 422, code)
    assert api.empty()


async def test_a_recording_longer_than_an_attempt_may_take_is_refused_with_the_reason(
    api: ApiFixture, client: httpx.AsyncClient
) -> None:
    api.probe.seconds = 5 * 3600
    problem = assert_problem(await client.post("/v1/jobs", content=AUDIO, headers=RAW), 422, "recording_too_long")
    assert "PARLEY_MAX_RECORDING_SECONDS" in str(problem["detail"])
    assert api.empty()


class Tap:
    """A body without an end that counts what was taken of it."""

    def __init__(self, head: bytes = b"") -> None:
        self.head, self.taken = head, 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.head + b"fLaC" + bytes(10_000)
        while self.taken < 100_000_000:
            self.taken += 10_000
            yield bytes(10_000)


@pytest.mark.parametrize("head", [b"", form(("audio", b""))[0].partition(b"\r\n--b0undary--")[0]], ids=["raw", "form"])
async def test_too_large_is_said_while_streaming(api: ApiFixture, client: httpx.AsyncClient, head: bytes) -> None:
    tap = Tap(head)
    response = await client.post("/v1/jobs", content=tap, headers=FORM if head else RAW)
    assert_problem(response, 413, "recording_too_large")
    assert tap.taken < 3 * api.settings.max_recording_bytes
    assert api.empty()


async def test_too_large_by_its_announced_length_is_refused_before_the_first_byte(client: httpx.AsyncClient) -> None:
    tap = Tap()
    headers = {"Content-Length": "50000000", **RAW}
    assert_problem(await client.post("/v1/jobs", content=tap, headers=headers), 413, "recording_too_large")
    assert tap.taken == 0


async def test_a_bad_option_before_the_audio_is_refused_before_the_audio(client: httpx.AsyncClient) -> None:
    head = form(("num_speakers", b"many"), ("audio", b""))[0].partition(b"\r\n--b0undary--")[0]
    tap = Tap(head)
    assert_problem(await client.post("/v1/jobs", content=tap, headers=FORM), 422, "invalid_option")
    assert tap.taken <= 20_000


@pytest.mark.parametrize("parts", [None, ("audio",)], ids=["raw", "form"])
async def test_a_caller_that_goes_away_leaves_nothing(api: ApiFixture, parts: tuple[str] | None) -> None:
    sent_body = b"fLaC" + bytes(9000) if parts is None else form(("audio", AUDIO))[0][:9000]
    content_type = (RAW if parts is None else FORM)["Content-Type"].encode()
    messages = iter([{"type": "http.request", "body": sent_body, "more_body": True}, {"type": "http.disconnect"}])
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/v1/jobs", "raw_path": b"/v1/jobs", "query_string": b"",
        "headers": [(b"content-type", content_type), (b"host", b"localhost")], "server": ("localhost", 7001),
        "scheme": "http", "root_path": "", "http_version": "1.1", "client": ("127.0.0.1", 1),
        "asgi": {"version": "3.0"},
    }  # fmt: skip
    await api.app()(scope, receive, send)
    assert sent[0]["status"] == 499
    assert api.empty()


async def test_a_caller_that_falls_asleep_is_let_go(
    api: ApiFixture, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def asleep() -> AsyncIterator[bytes]:
        yield AUDIO
        await anyio.sleep(30)

    monkeypatch.setattr(upload, "STALLED_SECONDS", 0.1)
    response = await client.post("/v1/jobs", content=asleep(), headers=RAW)
    assert_problem(response, 408, "body_stalled")
    assert api.empty()


async def test_a_body_that_trickles_is_let_go(
    api: ApiFixture, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def trickle() -> AsyncIterator[bytes]:
        yield AUDIO
        for _ in range(100):
            await anyio.sleep(0.05)
            yield b"x"

    monkeypatch.setattr(upload, "STALLED_SECONDS", 0.2)
    monkeypatch.setattr(upload, "LEAST_BYTES_PER_SECOND", 10 * len(AUDIO))
    problem = assert_problem(await client.post("/v1/jobs", content=trickle(), headers=RAW), 408, "body_stalled")
    assert "bytes arrived" in str(problem["detail"])
    assert api.empty()


async def test_uploads_beyond_the_share_of_a_tenant_are_refused_before_they_are_read(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unread() -> AsyncIterator[bytes]:
        yield b""
        raise AssertionError("The body is read.")

    monkeypatch.setattr(submit, "UPLOAD_WAIT_SECONDS", 0.01)
    deps = client._transport.app.state.deps  # type: ignore[attr-defined]
    async with AsyncExitStack() as stack:
        for _ in range(deps.settings.max_uploads // 2):
            await stack.enter_async_context(deps.uploads.slot(DEFAULT_TENANT))
        response = await client.post("/v1/jobs", content=unread(), headers=RAW)
        assert_problem(response, 429, "too_many_uploads")
        assert response.headers["retry-after"] == "5"
    assert (await client.post("/v1/jobs", content=AUDIO, headers=RAW)).status_code == 202


async def test_a_broker_that_is_down_leaves_the_publishing_to_the_keeper(
    api: ApiFixture, client: httpx.AsyncClient
) -> None:
    api.queue.available = False
    response = await client.post("/v1/jobs", content=AUDIO, headers=RAW)
    assert (response.status_code, response.json()["state"]) == (202, "queued")
    assert api.store.health().due == 1


async def test_a_refused_record_takes_the_recording_with_it(
    api: ApiFixture, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise JobStoreFull("Redis has reached its memory limit.")

    monkeypatch.setattr(api.store, "create", full)
    response = await client.post("/v1/jobs", content=AUDIO, headers=RAW)
    assert_problem(response, 503, "job_store_full")
    assert int(response.headers["retry-after"]) > 0
    assert api.empty()


async def test_an_answer_lost_between_store_and_api_does_not_lose_the_recording(
    api: ApiFixture, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = api.store.create

    def create_and_lose_the_answer(*arguments: Any) -> None:
        create(*arguments)
        raise JobStoreUnavailable("Redis did not answer in time.")

    monkeypatch.setattr(api.store, "create", create_and_lose_the_answer)
    job = (await client.post("/v1/jobs", content=AUDIO, headers=RAW)).json()
    assert api.store.get(job["id"]).recording.key in api.sounds
    assert list(api.durable.manifests.unrecorded()) == [job["id"]]  # the keeper finds it recorded already


async def test_a_recording_stays_when_nobody_knows_whether_its_job_was_accepted(
    api: ApiFixture, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: object) -> None:
        raise ObjectStoreUnavailable("The object store did not do what it was asked.")

    monkeypatch.setattr(DurableJobStore, "create", lost)
    assert_problem(await client.post("/v1/jobs", content=AUDIO, headers=RAW), 503, "object_store_unavailable")
    assert list(api.sounds.values()) == [AUDIO]


@pytest.mark.parametrize(("step", "kept"), [("measure", False), ("create", True)])
async def test_a_cancelled_request_leaves_its_recording_only_to_an_accepted_job(
    api: ApiFixture, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, step: str, kept: bool
) -> None:
    entered, leave, left = threading.Event(), threading.Event(), threading.Event()
    owner: Any = type(api.probe) if step == "measure" else DurableJobStore
    undisturbed = getattr(owner, step)

    def slow(*arguments: Any) -> Any:
        entered.set()
        leave.wait(HANG_SECONDS)
        try:
            return undisturbed(*arguments)
        finally:
            left.set()

    monkeypatch.setattr(owner, step, slow)
    request = asyncio.create_task(client.post("/v1/jobs", content=AUDIO, headers=RAW))
    while not entered.is_set():
        await anyio.sleep(0.01)
    request.cancel()
    leave.set()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert await anyio.to_thread.run_sync(left.wait, 10)  # the thread outlives the request
    assert list(api.sounds.values()) == ([AUDIO] if kept else [])
    assert len(api.store.page(JobQuery(tenant="default")).jobs) == kept


def kept_as(text: str) -> str | None:
    """What remains of a file name as the caller wrote it."""
    return clean_file_name(text) or None


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("visit.wav", "visit.wav"),
        ("Visit 4711 (naïve) 日本.wav", "Visit 4711 (naïve) 日本.wav"),
        ("C:\\Users\\jane\\visit.wav", "visit.wav"),
        ("../../etc/passwd", "passwd"),
        ("a\x1b[2Jb\n.wav", "a[2Jb.wav"),
        ("\u202egnp.wav", "gnp.wav"),
        ("x" * 300 + ".wav", "x" * 255),
        ("  ", None),
        ("/", None),
        ("", None),
    ],
)
async def test_a_file_name_is_kept_without_what_could_do_harm(
    client: httpx.AsyncClient, sent: str, kept: str | None
) -> None:
    assert kept_as(sent) == kept
    response = await client.post("/v1/jobs", content=AUDIO, headers=RAW, params={"file_name": sent})
    assert response.json()["recording"]["file_name"] == kept
    assert (await client.get(response.headers["location"])).json()["recording"]["file_name"] == kept


@pytest.mark.parametrize(
    ("disposition", "kept"),
    [
        ('attachment; filename="a b.wav"', "a b.wav"),
        ("attachment; filename=visit.wav", "visit.wav"),
        ("attachment; filename*=UTF-8''na%C3%AFve.wav", "naïve.wav"),
        ("attachment; filename*=klingon''%ff", "ÿ"),
        ('attachment; filename="naïve.wav"', "naïve.wav"),
        ('attachment; filename=""', None),
        ("attachment", None),
        (";;;=", None),
        ("", None),
    ],
)
async def test_a_raw_body_may_name_its_file_in_content_disposition(
    client: httpx.AsyncClient, disposition: str, kept: str | None
) -> None:
    headers = [(b"content-type", b"audio/flac"), (b"content-disposition", disposition.encode())]
    response = await client.post("/v1/jobs", content=AUDIO, headers=headers)
    assert response.json()["recording"]["file_name"] == kept


async def test_the_option_goes_before_the_name_of_the_part(client: httpx.AsyncClient) -> None:
    for parts in ([("audio", AUDIO), ("file_name", b"mine.wav")], [("file_name", b"mine.wav"), ("audio", AUDIO)]):
        body, headers = form(*parts)
        response = await client.post("/v1/jobs", content=body, headers=headers)
        assert response.json()["recording"]["file_name"] == "mine.wav"


async def test_a_file_name_is_no_part_of_what_an_idempotency_key_stands_for(client: httpx.AsyncClient) -> None:
    keyed = RAW | {"Idempotency-Key": "k"}
    first = await client.post("/v1/jobs", content=AUDIO, headers=keyed, params={"file_name": "a.wav"})
    second = await client.post("/v1/jobs", content=AUDIO, headers=keyed, params={"file_name": "b.wav"})
    assert first.json() == second.json()


async def test_the_recording_comes_back_under_its_name(client: httpx.AsyncClient) -> None:
    job = (await client.post("/v1/jobs", content=AUDIO, headers=RAW, params={"file_name": "naïve.wav"})).json()
    audio = await client.get(job["links"]["audio"])
    assert "na%C3%AFve.wav" in audio.headers["content-disposition"]
