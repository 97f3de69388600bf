"""Every route of the OpenAPI document, called with the key of another tenant, and with one that may only read."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from parley_api.runtime.keys import Scope
from tests.support.api_fixture import AUDIO, CONSENT, ENGINE, ApiFixture, assert_problem, form, succeed
from tests.support.routes import closed_routes
from tests.unit.api.test_access import bearer, line

pytestmark = pytest.mark.anyio

NORTH, SOUTH, READER = "n", "s", "r"
SECRET = "Roe 1970"
ROUTES = closed_routes()
NOT_STORED_HERE = {"/v1/deliveries", "/v1/deliveries/{delivery_id}/resend"}  # in Redis; see test_deliveries.py


@pytest.fixture
def keyed(api: ApiFixture, tmp_path: Path) -> ApiFixture:
    """Two tenants, and a key of the first one that may only read."""
    reader = line("north", READER).strip() + ":read\n"
    (tmp_path / "keys").write_text(line("north", NORTH) + reader + line("south", SOUTH))
    api.settings = api.settings.model_copy(update={"api_keys_file": tmp_path / "keys"})
    return api


async def everything_of_the_north(api: ApiFixture, client: httpx.AsyncClient) -> dict[str, str]:
    """Fill the tenant with one of each thing, and return their ids by the names that patterns have for them."""
    north = bearer(NORTH)
    body, headers = form(("reference", SECRET.encode()), ("speaker_embeddings", b"true"), ("audio", AUDIO))
    job = (await client.post("/v1/jobs", content=body, headers=headers | north)).json()
    vectors = {"embedding_model": "m", "speaker_embeddings": {"SPEAKER_00": [1.0, 0.0]}}
    succeed(api, job["id"], engine=ENGINE, **vectors)
    enrolment = {"name": SECRET, "job_id": job["id"], "speaker": "SPEAKER_00", "consent": CONSENT}
    voiceprint = (await client.post("/v1/voiceprints", json=enrolment, headers=north)).json()
    key = (await client.post("/v1/keys", json={"name": SECRET, "scopes": ["read"]}, headers=north)).json()
    share = (await client.post(f"/v1/jobs/{job['id']}/shares", json={"seconds": 600}, headers=north)).json()
    begin = {"Tus-Resumable": "1.0.0", "Upload-Length": str(len(AUDIO))}
    upload = await client.post("/v1/uploads", headers=begin | north)
    sent = {"jobs": [{"upload": "1", "reference": SECRET}], "reference": SECRET}
    batch = (await client.post("/v1/batches", json=sent, headers=north | {"Idempotency-Key": SECRET[:3]})).json()
    return {
        "batch_id": batch["id"],
        "upload_id": upload.headers["location"].rpartition("/")[2],
        "share_id": share["id"],
        "job_id": job["id"],
        "voiceprint_id": voiceprint["id"],
        "key_id": key["id"],
    }


def call(method: str, path: str, ids: dict[str, str], key: str) -> dict[str, Any]:
    """Return a request that is valid for the owner of the ids, with a key."""
    bodies: dict[str, Any] = {
        "/v1/voiceprints": {"name": "Kim", "job_id": ids["job_id"], "speaker": "SPEAKER_00", "consent": CONSENT},
        "/v1/batches": {"jobs": [{"upload": "1"}]},
        "/v1/keys": {"name": "import", "scopes": ["read"]},
        "/v1/jobs/{job_id}/shares": {"seconds": 600},
        "/v1/jobs/{job_id}/corrections": {
            "base_version": 0,
            "author": "Kim",
            "operations": [{"operation": "rename_speaker", "speaker": "SPEAKER_00", "name": "Kim"}],
        },
        "/v1/jobs/{job_id}/transcript": {"words": [{"start": 0.5, "end": 1.0, "text": "yes"}]},
    }
    url = re.sub(r"{(\w+)}", lambda name: ids.get(name[1], "0" * 12), path)
    body = {"json": bodies[path]} if method == "POST" and path in bodies else {}
    session = {"X-Session-ID": SECRET} if "consult" in path else {"Idempotency-Key": "k"} if "batches" in path else {}
    if "uploads" in path:
        session = {"Tus-Resumable": "1.0.0", "Upload-Length": "9", "Upload-Offset": "0"}
    return {"method": method, "url": url, "headers": session | bearer(key), **body}


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_another_tenants_key_sees_and_changes_nothing(keyed: ApiFixture, method: str, path: str) -> None:
    async with keyed.client() as client:
        ids = await everything_of_the_north(keyed, client)
        before = {key: data for key, data in keyed.recordings.objects.items() if not key.startswith("keys/")}
        answer = await client.request(**call(method, path, ids, SOUTH))
        known = await client.get("/v1/voiceprints", headers=bearer(NORTH))
        listed = await client.get("/v1/keys", headers=bearer(NORTH))
    if path not in NOT_STORED_HERE and ("{" in path or (method, path) == ("POST", "/v1/voiceprints")):
        assert answer.status_code == 404, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
    assert SECRET not in answer.text
    assert "{" in path or not any(one in answer.text for one in ids.values())
    if path == "/v1/usage":
        assert answer.json()["days"] == []
    assert {key: data for key, data in keyed.recordings.objects.items() if key in before} == before
    assert SECRET in known.text
    assert SECRET in listed.text


@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if route[0] != "GET"])
async def test_a_key_that_may_only_read_changes_nothing(keyed: ApiFixture, method: str, path: str) -> None:
    async with keyed.client() as client:
        ids = await everything_of_the_north(keyed, client)
        before = dict(keyed.recordings.objects)
        answer = await client.request(**call(method, path, ids, READER))
    problem = assert_problem(answer, 403, "scope_missing")
    named = any(f"`{scope}`" in str(problem["detail"]) for scope in Scope if scope is not Scope.READ)
    assert named or method == "HEAD"
    assert keyed.recordings.objects == before
    assert SECRET not in json.dumps(problem)


async def test_the_owner_gets_what_the_others_do_not(keyed: ApiFixture) -> None:
    """Else the tests above would pass for requests that nobody could make."""
    assert len(ROUTES) >= 25
    async with keyed.client() as client:
        ids = await everything_of_the_north(keyed, client)
        for method, path in ROUTES:
            if method == "GET" and path not in NOT_STORED_HERE and not path.endswith(("/peaks", "/transcript")):
                answer = await client.request(**call(method, path, ids, NORTH))
                assert answer.status_code == 200, (path, answer.text)
