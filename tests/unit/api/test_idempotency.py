"""The same key: the same job, whatever died in between."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import anyio
import httpx
import pytest

from parley_api.use_cases import submit
from parley_core.errors import IdempotencyKeyInUse, JobStoreUnavailable
from parley_core.job import IdempotencyKey, JobOptions, JobQuery
from parley_core.recording import job_id_of
from parley_core.redis.record import dump, options_to_plain
from parley_core.storage.manifests import Manifests
from parley_keeper.orphans import OrphanCollector
from tests.support.api_fixture import AUDIO, ApiFixture, assert_problem

pytestmark = pytest.mark.anyio

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
KEYED = {"Content-Type": "audio/flac", "Idempotency-Key": "key-1"}


async def post(client: httpx.AsyncClient, content: bytes = AUDIO, **query: str) -> httpx.Response:
    return await client.post("/v1/jobs", content=content, headers=KEYED, params=query)


def jobs(api: ApiFixture) -> int:
    return len(api.store.page(JobQuery(tenant="default")).jobs)


async def test_same_key_and_body_answer_the_same_job_and_keep_one_recording(
    api: ApiFixture, client: httpx.AsyncClient
) -> None:
    first, second = await post(client), await post(client)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["id"] == second.json()["id"]
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert (jobs(api), len(api.sounds), len(api.queue.published)) == (1, 1, 1)


@pytest.mark.parametrize("change", ["body", "option"])
async def test_same_key_for_something_else_is_refused(api: ApiFixture, client: httpx.AsyncClient, change: str) -> None:
    await post(client)
    second = await post(client, AUDIO + b"!") if change == "body" else await post(client, num_speakers="2")
    assert_problem(second, 422, "idempotency_key_reused")
    assert (jobs(api), len(api.sounds)) == (1, 1)


async def test_a_spelling_of_the_same_options_is_the_same_request(client: httpx.AsyncClient) -> None:
    first = await post(client, num_speakers="2")
    second = await post(client, min_speakers="2", max_speakers="2", queue="interactive")
    assert first.json()["id"] == second.json()["id"]


async def test_a_key_whose_first_request_is_on_its_way_is_in_use(api: ApiFixture, client: httpx.AsyncClient) -> None:
    api.store.reserve_key("default", "key-1", "another request", 60)
    second = await post(client)
    assert_problem(second, 409, "idempotency_key_in_use")
    assert int(second.headers["retry-after"]) > 0
    assert api.empty()


async def test_a_key_is_held_for_as_long_as_its_recording_streams(
    api: ApiFixture, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parley_api.use_cases.submit.RESERVED_SECONDS", 0.5)
    monkeypatch.setattr("parley_api.use_cases.submit.RENEWAL_SECONDS", 0.05)

    async def slowly() -> AsyncIterator[bytes]:
        yield AUDIO[:5000]
        for _ in range(6):  # three times as long as one reservation
            await anyio.sleep(0.25)
            with pytest.raises(IdempotencyKeyInUse):
                api.store.reserve_key("default", "key-1", "another request", 0.01)
        yield AUDIO[5000:]

    first = await client.post("/v1/jobs", content=slowly(), headers=KEYED)
    assert first.status_code == 202
    assert (await post(client)).json()["id"] == first.json()["id"]


def test_a_dead_api_blocks_a_key_for_15_s_and_a_slow_renewal_does_not_free_it() -> None:
    assert submit.RESERVED_SECONDS == 15
    assert 3 * submit.RENEWAL_SECONDS <= submit.RESERVED_SECONDS


async def test_a_failed_request_gives_its_key_back(api: ApiFixture, client: httpx.AsyncClient) -> None:
    assert_problem(await post(client, b"no audio"), 415, "not_audio")
    assert (await post(client)).status_code == 202


async def test_without_the_job_store_a_key_holds_too(api: ApiFixture, client: httpx.AsyncClient) -> None:
    api.store.available = False
    first, second = await post(client), await post(client)
    assert first.json()["id"] == second.json()["id"]
    assert second.headers["idempotency-replayed"] == "true"
    assert_problem(await post(client, AUDIO + b"!"), 422, "idempotency_key_reused")
    assert len(list(api.durable.manifests.unrecorded())) == 1
    assert len(api.recordings.keys("recordings")) == 1


async def test_a_key_used_before_an_outage_holds_in_it_and_after_it(api: ApiFixture) -> None:
    async with api.client() as client:
        first = await post(client)
    api.store.available = False
    async with api.client() as client:
        second = await post(client)
    assert second.json()["id"] == first.json()["id"]
    api.store.available = True
    for job_id in api.durable.manifests.unrecorded():
        api.durable.record(job_id)  # what the keeper does
    assert jobs(api) == 1


async def test_a_key_used_in_an_outage_holds_after_it(api: ApiFixture) -> None:
    api.store.available = False
    async with api.client() as client:
        first = await post(client)
    api.store.available = True
    async with api.client() as client:
        second = await post(client)
    assert second.json()["id"] == first.json()["id"]


async def test_a_request_that_died_after_its_manifest_is_done_by_the_next(
    api: ApiFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with api.client() as client:
        with monkeypatch.context() as broken:
            broken.setattr(api.store, "create", lambda *_: (_ for _ in ()).throw(JobStoreUnavailable("down")))
            died = RuntimeError("the process died")
            broken.setattr(Manifests, "mark_unrecorded", lambda *_: (_ for _ in ()).throw(died))
            assert_problem(await post(client), 500, "internal_error")
        second = await post(client)
    assert second.status_code == 202
    assert second.headers["idempotency-replayed"] == "true"
    recording = api.store.get(second.json()["id"]).recording
    assert api.sounds[recording.key] == AUDIO
    assert job_id_of(recording.key) == second.json()["id"]


async def test_the_orphan_collector_spares_the_recording_of_a_job_made_good(
    api: ApiFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = IdempotencyKey("key-1", digest=digest(AUDIO, JobOptions()))
    api.durable.manifests.bind_key("default", key, "00000000-0000-4000-8000-000000000000")  # and there its request died
    async with api.client() as client:
        job = (await post(client)).json()
        assert job["id"] == "00000000-0000-4000-8000-000000000000"
        later = datetime.now(UTC) + timedelta(days=30)
        collector = OrphanCollector(api.durable, api.recordings, 0, lambda: later)
        assert (collector.collect(lambda: None), collector.kept) == (0, 0)
        assert (await client.get(f"/v1/jobs/{job['id']}/audio")).content == AUDIO


def digest(audio: bytes, options: JobOptions) -> str:
    return hashlib.sha256(
        f"{hashlib.sha256(audio).hexdigest()}\n{dump(options_to_plain(options))}".encode()
    ).hexdigest()


async def test_two_tenants_may_use_the_same_key(api: ApiFixture) -> None:
    api.store.reserve_key("another", "key-1", "their request", 60)
    async with api.client() as client:
        assert (await post(client)).status_code == 202


async def test_twenty_at_once_under_one_key_make_one_job(api: ApiFixture, client: httpx.AsyncClient) -> None:
    answers: list[httpx.Response] = []

    async def one() -> None:
        answers.append(await post(client))

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(one)
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 202}) == 1
    assert (jobs(api), len(api.sounds)) == (1, 1)


@pytest.mark.parametrize("key", ["", "a b", "é", "x" * 256, "\x7f"])
async def test_a_key_that_is_none_is_refused(api: ApiFixture, client: httpx.AsyncClient, key: str) -> None:
    headers = [(b"content-type", b"audio/flac"), (b"idempotency-key", key.encode())]
    assert_problem(await client.post("/v1/jobs", content=AUDIO, headers=headers), 422, "invalid_request")
    assert api.empty()


@pytest.mark.parametrize(("header", "kept"), [(TRACEPARENT, TRACEPARENT), ("doe-jane", None)])
async def test_a_job_keeps_the_trace_of_its_caller_and_a_key_does_not_depend_on_it(
    api: ApiFixture, client: httpx.AsyncClient, header: str, kept: str | None
) -> None:
    first = await client.post("/v1/jobs", content=AUDIO, headers=KEYED | {"traceparent": header})
    again = await client.post("/v1/jobs", content=AUDIO, headers=KEYED | {"traceparent": TRACEPARENT[:-2] + "00"})
    assert (first.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert api.store.get(first.json()["id"]).traceparent == kept


async def test_two_keys_are_refused(client: httpx.AsyncClient) -> None:
    headers = [("content-type", "audio/flac"), ("idempotency-key", "a"), ("idempotency-key", "b")]
    assert_problem(await client.post("/v1/jobs", content=AUDIO, headers=headers), 422, "invalid_request")
