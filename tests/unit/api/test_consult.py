"""The consult workflow: the same job, known by the caller's session."""

from __future__ import annotations

import httpx
import pytest

from tests.support.api_fixture import ANSWERED_TURN, AUDIO, ApiFixture, assert_problem, fail, form, succeed

pytestmark = pytest.mark.anyio

URL = "/api/workflows/aurity/consult"
SESSION = {"X-Session-ID": "session-7"}


async def submit(client: httpx.AsyncClient) -> httpx.Response:
    body, headers = form(("audio", AUDIO))
    return await client.post(URL, content=body, headers=headers | SESSION)


async def test_a_consult_is_a_job_whose_reference_is_the_session(api: ApiFixture, client: httpx.AsyncClient) -> None:
    response = await submit(client)
    assert response.status_code == 202
    job_id = response.json()["job_id"]
    assert response.json() == {"job_id": job_id, "session_id": "session-7", "status": "queued"}
    assert response.headers["location"] == f"{URL}/{job_id}"
    assert api.store.get(job_id).options.reference == "session-7"
    assert (await client.get("/v1/jobs", params={"reference": "session-7"})).json()["jobs"][0]["id"] == job_id


async def test_its_turns_come_with_its_status(api: ApiFixture, client: httpx.AsyncClient) -> None:
    location = (await submit(client)).headers["location"]
    before = (await client.get(location, headers=SESSION)).json()
    assert (before["status"], before["turns"]) == ("queued", None)
    succeed(api, before["job_id"])
    after = (await client.get(location, headers=SESSION)).json()
    assert (after["status"], after["turns"], after["session_id"]) == ("succeeded", [ANSWERED_TURN], "session-7")


async def test_a_failed_consult_says_why(api: ApiFixture, client: httpx.AsyncClient) -> None:
    location = (await submit(client)).headers["location"]
    fail(api, location.rpartition("/")[2])
    seen = (await client.get(location, headers=SESSION)).json()
    assert (seen["status"], seen["error"]["code"]) == ("failed", "engine_error")


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_without_a_session_there_is_no_consult(api: ApiFixture, client: httpx.AsyncClient, method: str) -> None:
    url = URL if method == "POST" else f"{URL}/00000000-0000-4000-8000-000000000000"
    assert_problem(await client.request(method, url), 422, "session_id_missing")
    assert_problem(await client.request(method, url, headers={"X-Session-ID": ""}), 422, "invalid_option")
    assert_problem(await client.request(method, url, headers={"X-Session-ID": "s" * 201}), 422, "invalid_option")
    assert api.empty()


async def test_another_session_does_not_see_the_consult(client: httpx.AsyncClient) -> None:
    location = (await submit(client)).headers["location"]
    assert_problem(await client.get(location, headers={"X-Session-ID": "other"}), 404, "job_not_found")


async def test_a_reference_beside_the_session_is_refused(api: ApiFixture, client: httpx.AsyncClient) -> None:
    body, headers = form(("reference", b"r"), ("audio", AUDIO))
    assert_problem(await client.post(URL, content=body, headers=headers | SESSION), 422, "unknown_option")
    assert api.empty()
