"""Submits while Redis or the object store is down, full or too busy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest

from parley_core.errors import JobStoreUnusable
from parley_core.job import JobOptions, Queue
from tests.support.api_fixture import AUDIO, ApiFixture, assert_problem
from tests.support.fakes import MemoryJobStore, new_job
from tests.support.waiting import hanging

pytestmark = pytest.mark.anyio

RAW = {"Content-Type": "audio/flac"}


async def test_with_redis_down_a_submit_is_accepted_by_its_manifest(api: ApiFixture) -> None:
    api.store.available = False
    async with api.client() as client:
        response = await client.post("/v1/jobs", content=AUDIO, headers=RAW, params={"reference": "r"})
        assert (response.status_code, response.json()["state"]) == (202, "accepted")
        seen = (await client.get(response.headers["location"])).json()
    assert seen == response.json()
    [job_id] = api.durable.manifests.unrecorded()
    found = api.durable.manifests.find(job_id)
    assert found is not None
    entry, key = found
    assert (entry.id, entry.options.reference, key) == (seen["id"], "r", None)
    assert list(api.recordings.keys("recordings")) == [entry.recording.key]


async def test_an_accepted_job_is_found_before_the_keeper_records_it(
    api: ApiFixture, client: httpx.AsyncClient
) -> None:
    api.store.available = False
    job = (await client.post("/v1/jobs", content=AUDIO, headers=RAW)).json()
    api.store.available = True
    assert (await client.get(f"/v1/jobs/{job['id']}")).json()["state"] == "accepted"
    api.durable.record(job["id"])
    assert (await client.get(f"/v1/jobs/{job['id']}")).json()["position"] == 0


async def test_with_both_stores_down_a_submit_is_refused_and_nothing_is_half_written(
    api: ApiFixture, client: httpx.AsyncClient
) -> None:
    api.store.available = api.recordings.available = False
    response = await client.post("/v1/jobs", content=AUDIO, headers={**RAW, "Idempotency-Key": "k"})
    assert_problem(response, 503, "object_store_unavailable")
    assert int(response.headers["retry-after"]) > 0
    api.store.available = api.recordings.available = True
    assert api.empty()


async def test_with_the_object_store_down_a_submit_is_refused(api: ApiFixture, client: httpx.AsyncClient) -> None:
    api.recordings.available = False
    response = await client.post("/v1/jobs", content=AUDIO, headers=RAW)
    assert_problem(response, 503, "object_store_unavailable")
    api.recordings.available = True
    assert api.empty()


@pytest.mark.parametrize("recordings_available", [True, False])
async def test_with_redis_down_looking_at_a_recorded_job_says_so(
    api: ApiFixture, client: httpx.AsyncClient, recordings_available: bool
) -> None:
    job = (await client.post("/v1/jobs", content=AUDIO, headers=RAW)).json()
    api.store.available, api.recordings.available = False, recordings_available
    response = await client.get(f"/v1/jobs/{job['id']}")
    assert_problem(response, 503, "job_store_unavailable")
    assert "retry-after" in response.headers


async def test_with_the_object_store_down_an_unknown_job_may_be_an_accepted_one(
    api: ApiFixture, client: httpx.AsyncClient
) -> None:
    api.recordings.available = False
    response = await client.get("/v1/jobs/00000000-0000-4000-8000-000000000000")
    assert_problem(response, 503, "job_store_unavailable")


async def test_a_job_store_that_cannot_be_used_refuses_jobs_instead_of_promising_them(
    api: ApiFixture, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unusable(*_: object) -> Any:
        raise JobStoreUnusable("Redis runs in cluster mode.")

    monkeypatch.setattr(api.store, "create", unusable)
    response = await client.post("/v1/jobs", content=AUDIO, headers=RAW)
    assert_problem(response, 503, "job_store_unusable")
    assert response.json()["detail"] == "Redis runs in cluster mode."
    assert api.recordings.objects == {}


async def test_a_full_job_store_refuses_before_the_body_is_read(
    api: ApiFixture, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    health = replace(api.store.health(), used_memory=81, max_memory=100)
    monkeypatch.setattr(api.store, "health", lambda: health)
    response = await client.post("/v1/jobs", content=unread(), headers=RAW)
    assert_problem(response, 503, "job_store_full")
    assert "retry-after" in response.headers


async def test_below_its_share_of_memory_the_job_store_takes_jobs(
    api: ApiFixture, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    health = replace(api.store.health(), used_memory=79, max_memory=100)
    monkeypatch.setattr(api.store, "health", lambda: health)
    assert (await client.post("/v1/jobs", content=AUDIO, headers=RAW)).status_code == 202


async def unread():  # type: ignore[no-untyped-def]
    raise AssertionError("the body was read")
    yield b""


async def test_a_full_queue_refuses_before_the_body_is_read_and_the_other_still_takes(api: ApiFixture) -> None:
    api.settings = api.settings.model_copy(update={"queue_limit": 1})
    api.store.create(new_job(options=JobOptions(queue=Queue.INTERACTIVE)))
    async with api.client() as client:
        response = await client.post("/v1/jobs", content=unread(), headers=RAW)
        assert_problem(response, 429, "queue_full")
        assert int(response.headers["retry-after"]) > 0
        other = await client.post("/v1/jobs", content=AUDIO, headers=RAW, params={"queue": "batch"})
        assert other.status_code == 202


async def test_a_queue_that_fills_up_between_the_look_and_the_record_refuses_too(api: ApiFixture) -> None:
    api.store = MemoryJobStore(queue_limit=0)
    async with api.client() as client:
        assert_problem(await client.post("/v1/jobs", content=AUDIO, headers=RAW), 429, "queue_full")
    assert api.empty()


async def test_a_burst_of_submits_asks_after_the_stores_health_once(
    api: ApiFixture, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, health = [], api.store.health
    monkeypatch.setattr(api.store, "health", lambda: (asked.append(1), health())[1])
    for _ in range(5):
        await client.post("/v1/jobs", content=AUDIO, headers=RAW)
    assert len(asked) == 1


async def test_a_store_that_hangs_is_given_up_on(
    api: ApiFixture, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hanging() as hang:
        monkeypatch.setattr(api.store, "page", hang)
        assert_problem(await client.get("/v1/jobs"), 503, "job_store_unavailable")
