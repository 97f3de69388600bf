"""Limits of a tenant: what is refused, what the response says, and that nobody else is refused for it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from pathlib import Path

import httpx
import pytest

from parley_api.runtime.tenant_limits import redis_storage
from parley_core.errors import UnsafeSettings
from parley_core.settings import Settings
from tests.support.api_fixture import AUDIO, ApiFixture, assert_problem, succeed
from tests.support.valkey import Valkey

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("within_a_minute")]

NORTH, SOUTH = ({"Authorization": f"Bearer {tenant}"} for tenant in ("north", "south"))
RAW = {"Content-Type": "audio/flac"}


@pytest.fixture
def keyed(api: ApiFixture, tmp_path: Path) -> ApiFixture:
    file = tmp_path / "keys"
    file.write_text("".join(f"{name}:{hashlib.sha256(name.encode()).hexdigest()}\n" for name in ("north", "south")))
    api.settings = api.settings.model_copy(update={"api_keys_file": file})
    return api


def limited(api: ApiFixture, **limits: float) -> ApiFixture:
    """Limit every tenant, in place."""
    names = {f"tenant_{name}": value for name, value in limits.items()}
    api.settings = api.settings.model_copy(update=names)
    return api


async def submit(client: httpx.AsyncClient, tenant: dict[str, str]) -> httpx.Response:
    return await client.post("/v1/jobs", content=AUDIO, headers=RAW | tenant)


def refused(response: httpx.Response, code: str, limit: str) -> int:
    """Check a refusal; return the seconds after which to try again."""
    assert assert_problem(response, 429, code)["limit"] == limit
    return int(response.headers["retry-after"])


async def test_requests_over_the_rate_are_refused_for_one_tenant_alone(keyed: ApiFixture) -> None:
    async with limited(keyed, requests_per_minute=3).client() as client:
        left = [(await client.get("/v1/jobs", headers=NORTH)).headers["ratelimit"] for _ in range(3)]
        assert [one.split(";")[:2] for one in left] == [['"requests"', f"r={number}"] for number in (2, 1, 0)]
        over = await client.get("/v1/jobs", headers=NORTH)
        assert 1 <= refused(over, "rate_limited", "requests") <= 60
        assert over.headers["ratelimit-policy"] == '"requests";q=3;w=60'
        assert (await client.get("/v1/jobs", headers=SOUTH)).status_code == 200


async def test_a_request_without_a_valid_key_counts_for_nobody(keyed: ApiFixture) -> None:
    async with limited(keyed, requests_per_minute=1).client() as client:
        for _ in range(3):
            response = await client.get("/v1/jobs")
            assert response.status_code == 401
            assert "ratelimit" not in response.headers
        assert (await client.get("/v1/jobs", headers=NORTH)).status_code == 200


async def test_submits_over_the_rate_are_refused_before_their_recording_is_stored(
    keyed: ApiFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with limited(keyed, submits_per_minute=2).client() as client:
        accepted = [await submit(client, NORTH) for _ in range(2)]
        assert [response.status_code for response in accepted] == [202, 202]
        assert accepted[0].headers["ratelimit-policy"] == '"requests";q=1200;w=60, "submits";q=2;w=60'
        before = set(keyed.recordings.objects)
        seconds = refused(await submit(client, NORTH), "rate_limited", "submits")
        assert set(keyed.recordings.objects) == before
        assert (await client.get("/v1/jobs", headers=NORTH)).status_code == 200
        assert (await submit(client, SOUTH)).status_code == 202
        now = time.time
        monkeypatch.setattr(time, "time", lambda: now() + seconds)
        assert (await submit(client, NORTH)).status_code == 202, "Retry-After is long enough"


async def test_a_tenant_with_its_unfinished_jobs_submits_again_when_one_has_ended(keyed: ApiFixture) -> None:
    async with limited(keyed, unfinished_jobs=2).client() as client:
        first, _ = [await submit(client, NORTH) for _ in range(2)]
        refused(await submit(client, NORTH), "quota_exceeded", "unfinished_jobs")
        assert (await submit(client, SOUTH)).status_code == 202
        succeed(keyed, first.json()["id"])
        assert (await submit(client, NORTH)).status_code == 202


async def test_a_tenant_with_its_stored_bytes_submits_again_after_a_deletion(keyed: ApiFixture) -> None:
    async with limited(keyed, stored_bytes=2 * len(AUDIO)).client() as client:
        first, _ = [await submit(client, NORTH) for _ in range(2)]
        succeed(keyed, first.json()["id"])
        refused(await submit(client, NORTH), "quota_exceeded", "stored_bytes")
        assert (await submit(client, SOUTH)).status_code == 202
        assert (await client.delete(first.headers["location"], headers=NORTH)).status_code == 200
        assert (await submit(client, NORTH)).status_code == 202


async def test_hours_of_audio_count_for_accepted_jobs_and_once(keyed: ApiFixture) -> None:
    keyed.probe.seconds = 1500.0
    async with limited(keyed, audio_hours_per_day=1).client() as client:
        first = {"Idempotency-Key": "first"}
        for _ in range(3):  # a replay is the same job
            assert (await submit(client, NORTH | first)).status_code == 202
        assert (await submit(client, NORTH)).status_code == 202
        before = set(keyed.recordings.objects)
        over = await submit(client, NORTH)
        assert refused(over, "quota_exceeded", "audio_hours_per_day") <= 2 * 86400
        assert set(keyed.recordings.objects) == before
        assert '"audio";q=3600;w=86400' in over.headers["ratelimit-policy"]
        keyed.probe.seconds = 600.0
        assert (await submit(client, NORTH)).status_code == 202
        assert (await submit(client, SOUTH)).status_code == 202


async def test_a_tenant_can_have_limits_of_its_own(keyed: ApiFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "PARLEY_TENANTS", json.dumps({"north": {"requests_per_minute": 0, "submits_per_minute": 1, "weight": 2}})
    )
    tenants = Settings.from_environment().tenants
    keyed.settings = keyed.settings.model_copy(update={"tenants": tenants, "tenant_requests_per_minute": 1})
    async with keyed.client() as client:
        assert (await submit(client, NORTH)).status_code == 202
        refused(await submit(client, NORTH), "rate_limited", "submits")
        assert "ratelimit" not in (await client.get("/v1/jobs", headers=NORTH)).headers
        assert (await submit(client, SOUTH)).status_code == 202
        refused(await submit(client, SOUTH), "rate_limited", "requests")


@pytest.mark.parametrize(
    "text", ["north", "[]", '{"north": 3}', '{"north": {"sumbits_per_minute": 1}}', '{"north": {"stored_bytes": -1}}']
)
def test_wrong_limits_are_refused_at_the_start(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_TENANTS", text)
    with pytest.raises(UnsafeSettings, match="PARLEY_TENANTS"):
        Settings.from_environment()


async def test_one_machine_has_no_limits(api: ApiFixture) -> None:
    async with limited(api, requests_per_minute=1, submits_per_minute=1, unfinished_jobs=1).client() as client:
        for _ in range(3):
            response = await submit(client, {})
            assert response.status_code == 202
            assert "ratelimit" not in response.headers


async def test_processes_of_the_api_count_together(keyed: ApiFixture, valkey: Valkey) -> None:
    keyed.rates = redis_storage(Settings(redis_url=valkey.url))
    async with limited(keyed, requests_per_minute=5).client() as one, keyed.client() as other:
        clients = [one, other, one, other, one, other]
        responses = await asyncio.gather(*(client.get("/v1/jobs", headers=NORTH) for client in clients))
        assert sorted(response.status_code for response in responses) == [200] * 5 + [429]
    assert all(key.startswith("parley:limits:") for key in valkey.client().scan_iter())
    assert all(valkey.client().pttl(key) > 0 for key in valkey.client().scan_iter())


async def test_without_redis_nobody_is_limited(keyed: ApiFixture, tmp_path: Path) -> None:
    keyed.rates = redis_storage(Settings(redis_url=f"unix://{tmp_path}/nobody"))  # type: ignore[arg-type]
    async with limited(keyed, requests_per_minute=1, submits_per_minute=1, audio_hours_per_day=1).client() as client:
        for _ in range(3):
            assert (await submit(client, NORTH)).status_code == 202
