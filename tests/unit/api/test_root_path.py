"""Parley below a prefix: behind a proxy that strips it, behind one that keeps it, and asked directly."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from parley_core.settings import Settings
from tests.support.api_fixture import AUDIO, ApiFixture, assert_problem, succeed

pytestmark = pytest.mark.anyio

RAW = {"Content-Type": "audio/flac"}
KEPT, STRIPPED = "/parley", ""


@pytest.fixture
def below() -> ApiFixture:
    return ApiFixture(Settings(max_recording_bytes=100_000, root_path="/parley"))


@pytest.fixture
async def client(below: ApiFixture) -> AsyncIterator[httpx.AsyncClient]:
    async with below.client() as client:
        yield client


@pytest.mark.parametrize("prefix", [KEPT, STRIPPED])
async def test_every_path_in_a_response_has_the_prefix(
    below: ApiFixture, client: httpx.AsyncClient, prefix: str
) -> None:
    sent = await client.post(f"{prefix}/v1/jobs", content=AUDIO, headers=RAW)
    job_id = sent.json()["id"]
    assert sent.headers["location"] == f"/parley/v1/jobs/{job_id}"
    succeed(below, job_id)
    job = (await client.get(f"{prefix}/v1/jobs/{job_id}")).json()
    assert {path.split("/v1/")[0] for path in job["links"].values()} == {"/parley"}
    assert (await client.get(job["links"]["turns"])).status_code == 200
    [listed] = (await client.get(f"{prefix}/v1/jobs")).json()["jobs"]
    assert listed["links"] == job["links"]
    made = (await client.post(f"{prefix}/v1/jobs/{job_id}/shares", json={"seconds": 60})).json()
    assert made["link"].startswith("/parley/shared#ps_")
    bearer = {"Authorization": f"Bearer {made['link'].partition('#')[2]}"}
    shared = (await client.get(f"{prefix}/v1/shared", headers=bearer)).json()
    assert shared["links"]["turns"] == "/parley/v1/shared/turns"
    assert (await client.get(f"{prefix}/openapi.json")).json()["servers"] == [{"url": "/parley"}]


@pytest.mark.parametrize("path", ["/parley", "/parley/", "/", "/parley/shared", "/shared"])
async def test_the_page_loads_its_files_below_the_prefix(client: httpx.AsyncClient, path: str) -> None:
    page = await client.get(path)
    assert (page.status_code, page.text.count('"/parley/console/')) == (200, page.text.count("/console/"))
    assert 'href="/parley/"' in page.text
    worker = await client.get("/parley/console/js/audio_worker.js")
    assert (worker.status_code, worker.headers["service-worker-allowed"]) == (200, "/parley/")
    assert (await client.get("/parley/docs")).status_code == (await client.get("/livez")).status_code == 200


@pytest.mark.parametrize(
    "path", ["/parleyx/v1/queues", "/other/v1/queues", "/parley/parley/v1/queues", "//evil.example"]
)
async def test_other_prefixes_are_not_found(client: httpx.AsyncClient, path: str) -> None:
    assert_problem(await client.get(f"http://127.0.0.1:7001{path}"), 404, "not_found")


@pytest.mark.parametrize(
    "root_path", ["parley", "/parley/", "//parley", "/a b", "/../x?", "/<script>", "/..", "/a/./b"]
)
def test_a_prefix_that_is_no_path_is_refused(root_path: str) -> None:
    with pytest.raises(ValueError, match="root_path"):
        Settings(root_path=root_path)
