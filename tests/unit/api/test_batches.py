"""Batches: many submits of one request, and one answer for all of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from parley_api.links import fetching
from parley_api.use_cases import batches
from parley_core.batches import (
    Batch,
    BatchItem,
    OpenBatch,
    batch_delivery_key,
    batch_from_json,
    batch_key,
    batch_to_json,
    open_batch_from_json,
)
from parley_core.errors import ObjectStoreUnavailable
from parley_core.job import JobQuery
from parley_core.job_id import first_id_of, new_id
from parley_keeper.ended_batches import BatchCollector
from tests.support.api_fixture import AUDIO, DAMAGED, ApiFixture, assert_problem, fail, succeed
from tests.support.receivers import SECRET
from tests.unit.api.test_uploads import address, append

pytestmark = pytest.mark.anyio

KEYED = {"Idempotency-Key": "night-1"}


async def upload(client: httpx.AsyncClient, data: bytes = AUDIO) -> str:
    path = await address(client, len(data))
    await append(client, path, data)
    return path.rpartition("/")[2]


async def post(client: httpx.AsyncClient, jobs: list[dict[str, Any]], **members: object) -> httpx.Response:
    return await client.post("/v1/batches", json={"jobs": jobs, **members}, headers=KEYED)


def jobs_of(api: ApiFixture) -> list[str]:
    return sorted(job.id for job in api.store.page(JobQuery(tenant="default", limit=200)).jobs)


def stored(api: ApiFixture) -> list[str]:
    return [key for key in api.recordings.objects if key.startswith("batches/")]


async def test_each_item_is_a_submit_of_its_own(api: ApiFixture, client: httpx.AsyncClient) -> None:
    good, damaged = await upload(client), await upload(client, DAMAGED)
    sent = [
        {"upload": good, "reference": "visit 1", "num_speakers": 3},
        {"upload": damaged, "reference": "visit 2"},
        {"url": "https://pacs.clinic.example/secret-link.wav"},
    ]
    made = await post(client, sent, options={"queue": "batch", "num_speakers": 2}, reference="night")
    answer = made.json()
    assert (made.status_code, made.headers["location"]) == (202, f"/v1/batches/{answer['id']}")
    assert (answer["reference"], answer["done"]) == ("night", False)
    assert answer["counts"] == {"queued": 1, "refused": 2}
    first, second, third = answer["items"]
    job = (await client.get(f"/v1/jobs/{first['job']}")).json()
    assert (job["queue"], job["speakers"], job["reference"]) == ("batch", {"min": 3, "max": 3}, "visit 1")
    assert (first["index"], first["reference"], first["state"], first["problem"]) == (0, "visit 1", "queued", None)
    assert (second["job"], second["reference"], second["state"]) == (None, "visit 2", "refused")
    assert (second["problem"]["code"], second["problem"]["status"]) == ("unreadable_recording", 422)
    assert third["problem"]["code"] == "link_not_allowed"
    assert b"secret-link" not in b"".join(api.recordings.objects.values())
    assert (await client.get(f"/v1/batches/{answer['id']}")).json() == answer


async def test_the_same_request_is_the_same_batch(api: ApiFixture, client: httpx.AsyncClient) -> None:
    sent = [{"upload": await upload(client)}, {"upload": await upload(client)}]
    first, second = await post(client, sent), await post(client, sent)
    assert first.json() == second.json()
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert (len(jobs_of(api)), len(stored(api))) == (2, 1)
    assert_problem(await post(client, sent[:1]), 422, "idempotency_key_reused")
    alone = await client.post("/v1/jobs", content=AUDIO, headers=KEYED | {"Content-Type": "audio/flac"})
    assert alone.status_code == 202  # the key of a job is another one
    assert len(jobs_of(api)) == 3


@pytest.mark.parametrize("broken", ["batches/", "jobs/"])
async def test_a_broken_request_goes_on_where_it_stopped(
    api: ApiFixture, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """The object store fails at the third item, or when the batch itself is to be stored."""
    sent = [{"upload": await upload(client)} for _ in range(6)]
    create, left = api.recordings.create, [2 if broken == "jobs/" else 0]

    def fails(key: str, data: bytes) -> bool:
        if key.startswith(broken):
            left[0] -= 1
            if left[0] < 0:
                raise ObjectStoreUnavailable("down")
        return create(key, data)

    monkeypatch.setattr(api.recordings, "create", fails)
    assert_problem(await post(client, sent), 503, "object_store_unavailable")
    before = jobs_of(api)
    assert (0 < len(before) < 6) == (broken == "jobs/")
    assert stored(api) == []
    monkeypatch.undo()
    answer = (await post(client, sent)).json()
    assert sorted(item["job"] for item in answer["items"]) == jobs_of(api)
    assert (len(jobs_of(api)), set(before) <= set(jobs_of(api))) == (6, True)


async def test_a_full_queue_refuses_the_request_and_no_item(api: ApiFixture, client: httpx.AsyncClient) -> None:
    sent = [{"upload": await upload(client)} for _ in range(3)]
    api.store._queue_limit = 2
    assert_problem(await post(client, sent), 429, "queue_full")
    api.store._queue_limit = 100
    assert (await post(client, sent)).json()["counts"] == {"queued": 3}
    assert len(jobs_of(api)) == 3


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"jobs": []}, "`jobs`"),
        ({"jobs": [{"url": "https://a.example/1"}] * 101}, "`jobs`"),
        ({"jobs": [{}]}, "Give one of"),
        ({"jobs": [{"upload": "1"}], "options": {"url": "https://a.example"}}, "no option `url`"),
        ({"jobs": [{"upload": "1"}], "options": {"num_speakers": 2.5}}, "`num_speakers` must be text, a whole number"),
        ({"jobs": [{"upload": "1"}], "options": {"queue": "fast"}}, "Item 0 of `jobs`: `queue`"),
        ({"jobs": [{"upload": "1"}, {"upload": "2", "num_speakers": 0}]}, "Item 1 of `jobs`: `num_speakers`"),
        ({"jobs": [{"upload": "1", "colour": "red"}]}, "Item 0 of `jobs`: There is no option `colour`"),
        ({"jobs": [{"upload": "1"}], "callback": "x"}, "no member `callback`"),
    ],
)
async def test_a_wrong_request_is_refused_as_a_whole(
    api: ApiFixture, client: httpx.AsyncClient, body: dict[str, Any], detail: str
) -> None:
    answer = await client.post("/v1/batches", json=body, headers=KEYED)
    assert answer.status_code == 422, answer.text
    assert detail in answer.json()["detail"]
    assert api.empty()


async def test_a_batch_needs_a_key(api: ApiFixture, client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/batches", json={"jobs": [{"upload": "1"}]})
    assert_problem(answer, 422, "invalid_request")
    assert api.empty()


async def test_states_follow_the_jobs(api: ApiFixture, client: httpx.AsyncClient) -> None:
    made = (await post(client, [{"upload": await upload(client), "reference": f"r{n}"} for n in range(4)])).json()
    ids = [item["job"] for item in made["items"]]
    succeed(api, ids[0])
    fail(api, ids[1])
    path = f"/v1/batches/{made['id']}"
    assert (await client.get(path)).json()["counts"] == {"succeeded": 1, "failed": 1, "queued": 2}
    cancelled = await client.post(f"{path}/cancel")
    assert (cancelled.status_code, cancelled.json()["done"]) == (202, True)
    assert cancelled.json()["counts"] == {"succeeded": 1, "failed": 1, "cancelled": 2}
    assert (await client.post(f"{path}/cancel")).json() == cancelled.json()
    await client.delete(f"/v1/jobs/{ids[0]}")
    item = (await client.get(path)).json()["items"][0]
    assert (item["job"], item["state"], item["reference"]) == (ids[0], "purged", None)
    assert not any("r0" in api.recordings.objects[key].decode() for key in stored(api))


async def test_without_redis_a_batch_is_accepted(api: ApiFixture, client: httpx.AsyncClient) -> None:
    sent = [{"upload": await upload(client)} for _ in range(2)]
    api.store.available = False
    made = await post(client, sent)
    assert (made.status_code, made.json()["counts"]) == (202, {"accepted": 2})
    api.store.available = True
    assert (await client.get(f"/v1/batches/{made.json()['id']}")).json()["counts"] == {"accepted": 2}


def keep(api: ApiFixture, age: timedelta, job_ids: list[str], tenant: str = "default") -> str:
    """Store a batch of that age; return its id."""
    batch_id = first_id_of(datetime.now(UTC) - age) + new_id()[13:]
    batch = Batch(tenant, batch_id, None, [BatchItem(job_id) for job_id in job_ids])
    api.recordings.put(batch_key(tenant, batch_id), batch_to_json(batch))
    return batch_id


async def test_batches_are_listed_newest_first_in_pages(api: ApiFixture, client: httpx.AsyncClient) -> None:
    ids = [keep(api, timedelta(days=days), [new_id()]) for days in (3, 2, 2, 0)]
    keep(api, timedelta(days=1), [new_id()], "another")
    first = (await client.get("/v1/batches", params={"limit": 2})).json()
    second = (await client.get("/v1/batches", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    found = [batch["id"] for page in (first, second) for batch in page["batches"]]
    assert (found, second["next_cursor"]) == (sorted(ids, reverse=True), None)
    assert_problem(await client.get("/v1/batches?cursor=x"), 422, "invalid_option")


async def test_where_the_end_of_a_batch_goes_is_noted(api: ApiFixture, tmp_path: Path) -> None:
    (tmp_path / "secrets").write_text(f"default:{SECRET}\n")
    update = {"webhook_secrets_file": tmp_path / "secrets", "webhook_networks": "127.0.0.0/8"}
    api.settings = api.settings.model_copy(update=update)
    receiver = "http://127.0.0.1:7/ended"
    async with api.client() as client:
        sent = [{"upload": await upload(client)}]
        metadata = await post(client, sent, callback_url="http://169.254.169.254/")
        assert_problem(metadata, 422, "invalid_option")
        first, second = await post(client, sent, callback_url=receiver), await post(client, sent, callback_url=receiver)
    assert first.json()["id"] == second.json()["id"]
    [key] = [key for key in api.recordings.objects if key.startswith("batches/open/")]
    assert open_batch_from_json(api.recordings.read(key)) == OpenBatch("default", first.json()["id"], receiver)


async def test_a_delivery_needs_a_secret(api: ApiFixture, client: httpx.AsyncClient) -> None:
    refused = await post(client, [{"upload": await upload(client)}], callback_url="https://receiver.example/")
    assert_problem(refused, 422, "invalid_option")
    assert (jobs_of(api), stored(api)) == ([], [])


async def test_a_batch_goes_with_the_last_of_its_jobs(api: ApiFixture, client: httpx.AsyncClient) -> None:
    made = (await post(client, [{"upload": await upload(client)}])).json()
    (job_id,) = jobs_of(api)
    left, over = keep(api, timedelta(days=2), [new_id(), job_id]), keep(api, timedelta(days=2), [new_id()])
    api.recordings.put(batch_delivery_key("default", over), b"")
    recent, foreign = keep(api, timedelta(hours=20), []), "batches/x/notes.txt"
    api.recordings.put(foreign, b"")
    collector = BatchCollector(api.durable, api.recordings)
    assert collector.collect(lambda: None) == 1
    assert {batch_from_json(api.recordings.read(key)).id for key in stored(api) if key != foreign} == {
        made["id"],
        left,
        recent,
    }
    assert (await client.get(f"/v1/batches/{over}")).status_code == 404
    api.store._entries.clear()  # a Redis that has lost its records: the job is in the object store still
    assert collector.collect(lambda: None) == 0
    api.durable.manifests.condemn(job_id)
    assert collector.collect(lambda: None) == 1


async def test_a_batch_leaves_slots_to_others(
    api: ApiFixture, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent, at_once, most = [{"upload": await upload(client)} for _ in range(9)], 0, 0
    one = batches._submit_one

    async def counted(*arguments: Any) -> BatchItem:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        try:
            return await one(*arguments)
        finally:
            at_once -= 1

    monkeypatch.setattr(batches, "_submit_one", counted)
    assert (await post(client, sent)).json()["counts"] == {"queued": 9}
    assert most == fetching.AT_ONCE // 4


async def test_each_job_of_a_batch_is_in_the_audit_log(api: ApiFixture, tmp_path: Path) -> None:
    api.settings = api.settings.model_copy(update={"audit_folder": tmp_path})
    async with api.client() as client:
        made = (await post(client, [{"upload": await upload(client)} for _ in range(2)])).json()
    lines = [json.loads(line) for file in tmp_path.iterdir() for line in file.read_text().splitlines()]
    submits = [(line["job"], line["target"]) for line in lines if line["action"] == "job.submit"]
    assert sorted(submits) == [(job_id, made["id"]) for job_id in jobs_of(api)]
    assert [line["target"] for line in lines if line["action"] == "batch.submit"] == [made["id"]]
