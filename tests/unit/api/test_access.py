"""Who may ask, and what they see: keys, tenants, this machine only, headers, logs."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from parley_api.runtime import keys
from parley_api.runtime.keys import ApiKeys
from parley_core.errors import UnsafeSettings
from tests.support.api_fixture import AUDIO, ApiFixture, assert_problem, form
from tests.support.routes import closed_routes

pytestmark = pytest.mark.anyio

RAW = {"Content-Type": "audio/flac"}


def line(tenant: str, key: str) -> str:
    return f"{tenant}:{hashlib.sha256(key.encode()).hexdigest()}\n"


@pytest.fixture
def keyed(api: ApiFixture, tmp_path: Path) -> ApiFixture:
    file = tmp_path / "keys"
    file.write_text("# two clinics\n\n" + line("north", "n-old") + line("north", "n-new") + line("south", "s"))
    api.settings = api.settings.model_copy(update={"api_keys_file": file})
    return api


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


SOME_ID = "00000000-0000-4000-8000-000000000000"
CLOSED = [(method, re.sub(r"{\w+_id}", SOME_ID, path)) for method, path in closed_routes()]


@pytest.mark.parametrize(("method", "path"), CLOSED)
@pytest.mark.parametrize("headers", [{}, bearer("wrong"), bearer(""), {"Authorization": "Basic bjpu"}])
async def test_without_a_known_key_nothing_about_jobs_is_said(
    keyed: ApiFixture, method: str, path: str, headers: dict[str, str]
) -> None:
    async with keyed.client() as client:
        response = await client.request(method, path, headers=headers)
    assert_problem(response, 401, "unknown_key" if headers == bearer("wrong") else "unauthenticated")
    assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz", "/docs", "/openapi.json", "/"])
async def test_health_docs_and_the_console_need_no_key(keyed: ApiFixture, path: str) -> None:
    async with keyed.client() as client:
        assert (await client.get(path)).status_code == 200


async def test_metrics_are_not_on_the_port_of_a_server_with_keys(keyed: ApiFixture) -> None:
    async with keyed.client() as client:
        assert_problem(await client.get("/metrics", headers=bearer("n-old")), 404, "not_found")


async def test_both_keys_of_a_rotation_are_the_same_tenant(keyed: ApiFixture) -> None:
    async with keyed.client() as client:
        job = (await client.post("/v1/jobs", content=AUDIO, headers=RAW | bearer("n-old"))).json()
        assert (await client.get(f"/v1/jobs/{job['id']}", headers=bearer("n-new"))).status_code == 200


async def test_another_tenants_job_is_not_listed(keyed: ApiFixture) -> None:
    async with keyed.client() as client:
        await client.post("/v1/jobs", content=AUDIO, headers=RAW | bearer("n-old"))
        assert (await client.get("/v1/jobs", headers=bearer("s"))).json()["jobs"] == []
        assert len((await client.get("/v1/jobs", headers=bearer("n-new"))).json()["jobs"]) == 1


async def test_another_tenants_unrecorded_job_is_not_there(keyed: ApiFixture) -> None:
    keyed.store.available = False
    async with keyed.client() as client:
        job = (await client.post("/v1/jobs", content=AUDIO, headers=RAW | bearer("n-old"))).json()
        assert_problem(await client.get(f"/v1/jobs/{job['id']}", headers=bearer("s")), 404, "job_not_found")
        assert (await client.get(f"/v1/jobs/{job['id']}", headers=bearer("n-new"))).status_code == 200


async def test_a_changed_keys_file_counts_without_a_restart(keyed: ApiFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "RELOAD_SECONDS", 0.0)
    file = keyed.settings.api_keys_file
    assert file is not None
    known = ApiKeys(file)
    file.write_text(line("north", "n-new") + line("east", "e"))
    found = [known.find(key) for key in ("n-new", "e", "n-old", "s")]
    assert [key and key.tenant for key in found] == ["north", "east", None, None]
    file.write_text("half a li")
    assert known.find("e")  # a file in the middle of a change locks nobody out
    os.unlink(file)
    assert known.find("e")


@pytest.mark.parametrize(
    "text",
    [
        "", "# nobody\n", "north\n", "north:abc\n", "north:" + "A" * 64 + "\n", "no rth:" + "a" * 64 + "\n",
        "north:" + "a" * 64 + ":reed\n", "north:" + "a" * 64 + ":read:tomorrow\n",
        "north:" + "a" * 64 + "::2027-01-01T00:00:00\n",
        line("north", "a") + line("south", "a"), line("north", "a") + line("north", "b") + line("north", "c"),
    ],
)  # fmt: skip
def test_a_keys_file_that_says_something_else_is_refused_at_the_start(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys").write_text(text)
    with pytest.raises(UnsafeSettings):
        ApiKeys(tmp_path / "keys")


def test_a_keys_file_that_is_not_there_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(UnsafeSettings):
        ApiKeys(tmp_path / "keys")


@pytest.mark.parametrize("host", ["127.0.0.1:7001", "localhost:7001", "[::1]:7001", "LOCALHOST"])
async def test_without_keys_this_machines_names_are_served(client: httpx.AsyncClient, host: str) -> None:
    assert (await client.get("/v1/jobs", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
async def test_without_keys_a_foreign_page_is_not_served(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    assert_problem(await client.get("/v1/jobs", headers=headers), 421, "unknown_host")


async def test_with_keys_any_name_is_served(keyed: ApiFixture) -> None:
    async with keyed.client() as client:
        headers = {"Host": "parley.clinic.example", **bearer("s")}
        assert (await client.get("/v1/jobs", headers=headers)).status_code == 200


@pytest.mark.parametrize("path", ["/v1/jobs", "/nowhere", "/healthz"])
async def test_browsers_are_told_to_keep_their_hands_off(client: httpx.AsyncClient, path: str) -> None:
    headers = (await client.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "server" not in headers


async def test_a_request_keeps_its_callers_id_or_gets_one(client: httpx.AsyncClient) -> None:
    assert (await client.get("/livez", headers={"X-Request-ID": "abc-1"})).headers["x-request-id"] == "abc-1"
    for bad in ("a b", "x" * 200, 'a"b'):
        assert (await client.get("/livez", headers={"X-Request-ID": bad})).headers["x-request-id"] not in ("", bad)


async def test_logs_tell_of_requests_and_nothing_of_patients(
    api: ApiFixture, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, headers = form(("reference", b"Jane Roe 1970"), ("audio", AUDIO))
    monkeypatch.setattr(api.store, "page", lambda query: {}[query.reference])
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        accepted = await client.post("/v1/jobs", content=body, headers=headers | {"X-Request-ID": "abc-1"})
        broken = await client.get("/v1/jobs", params={"reference": "Jane Roe 1970"})
        await client.get("/api/workflows/aurity/consult/x", headers={"X-Session-ID": "Jane Roe 1970"})
    assert accepted.status_code == 202
    assert_problem(broken, 500, "internal_error")
    written = json.dumps(lines)
    assert '"request_id": "abc-1"' in written
    assert '"route": "/v1/jobs"' in written
    assert '"error": "KeyError"' in written
    assert "test_access.py" in written  # where it happened
    for secret in ("Jane", "Roe", "1970", "patient name"):
        assert secret not in written + broken.text


async def test_an_answer_that_breaks_off_is_cut_and_not_continued(
    api: ApiFixture, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = (await client.post("/v1/jobs", content=AUDIO, headers=RAW)).json()

    def broken(*_: Any) -> None:
        raise RuntimeError("Jane Roe")

    monkeypatch.setattr(api.store, "events", broken)
    with pytest.raises(RuntimeError) as cut:
        await client.get(f"/v1/jobs/{job['id']}/events")
    assert "Jane" not in str(cut.value)
