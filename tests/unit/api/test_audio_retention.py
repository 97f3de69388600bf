"""A recording may go before its result: the shortest of job, tenant and deployment counts, and callers are told."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import httpx
import pytest

from parley_core.job import ResultSummary
from parley_core.recording import result_key
from parley_core.settings import Settings
from parley_keeper.retention import remove_recordings
from tests.support.api_fixture import AUDIO, ENGINE, TURN, ApiFixture, assert_problem

pytestmark = pytest.mark.anyio

NORTH, SOUTH = ({"Authorization": f"Bearer {tenant}", "Content-Type": "audio/flac"} for tenant in ("north", "south"))
TENANTS = {"north": {"retain_audio_seconds": 60, "weight": 2}}


async def submitted(client: httpx.AsyncClient, headers: dict[str, str], **options: str) -> str:
    response = await client.post("/v1/jobs", content=AUDIO, headers=headers, params=options)
    assert response.status_code == 202, response.text
    return str(response.json()["id"])


@pytest.mark.parametrize(("deployment", "least"), [(None, None), (600, 600), (0, 0)], ids=["none", "minutes", "end"])
async def test_the_shortest_of_job_tenant_and_deployment_counts(
    api: ApiFixture, tmp_path: Path, deployment: int | None, least: int | None
) -> None:
    keys = tmp_path / "keys"
    keys.write_text("".join(f"{name}:{hashlib.sha256(name.encode()).hexdigest()}\n" for name in ("north", "south")))
    api.settings = Settings(api_keys_file=keys, tenants=TENANTS, retain_audio_seconds=deployment)  # type: ignore[arg-type]
    async with api.client() as client:

        async def kept(headers: dict[str, str], **options: str) -> int | None:
            return api.store.get(await submitted(client, headers, **options)).options.retain_audio_seconds

        assert await kept(SOUTH) == least
        assert await kept(SOUTH, retain_audio_seconds="0") == 0
        assert await kept(NORTH) == min(60, 600 if deployment is None else deployment)
        limit = min(60, 600 if deployment is None else deployment)
        query = {"retain_audio_seconds": str(limit + 1)}
        refused = await client.post("/v1/jobs", content=AUDIO, headers=NORTH, params=query)
        assert_problem(refused, 422, "invalid_option")
        assert f"at most {limit}" in refused.json()["detail"]


async def test_the_servers_setting_does_not_change_what_an_idempotency_key_stands_for(api: ApiFixture) -> None:
    headers = {"Content-Type": "audio/flac", "Idempotency-Key": "visit-7"}
    async with api.client() as client:
        first = await submitted(client, headers)
    api.settings = api.settings.model_copy(update={"retain_audio_seconds": 60})
    async with api.client() as client:
        assert await submitted(client, headers) == first


async def test_a_job_says_that_its_recording_is_gone_and_keeps_its_turns(
    api: ApiFixture, client: httpx.AsyncClient
) -> None:
    done, failed = [await submitted(client, {"Content-Type": "audio/flac"}, retain_audio_seconds="0") for _ in range(2)]
    started = api.durable.start_attempt(done, "worker/1", 30)
    assert started is not None
    key = result_key(done, started[1].nonce)
    result = {"job_id": done, "turns": [TURN], "exclusive_turns": [TURN], "overlaps": [], "speakers": ["SPEAKER_00"]}
    recording = {"sha256": "0" * 64, "seconds": 3.0}
    api.recordings.put(key, json.dumps(result | {"engine": ENGINE, "recording": recording}).encode())
    api.durable.succeed(started[1], ResultSummary(key, 1, 1, 1.75, dict(ENGINE), {"engine": 0.1}))
    api.durable.cancel(failed)
    assert (await client.get(f"/v1/jobs/{done}")).json()["recording"]["kept"] is True
    assert remove_recordings(api.durable, lambda: None) == 2
    job = (await client.get(f"/v1/jobs/{done}")).json()
    assert (job["recording"]["kept"], "audio" in job["links"]) == (False, False)
    assert job["recording"]["sha256"] == hashlib.sha256(AUDIO).hexdigest()
    assert_problem(await client.get(f"/v1/jobs/{done}/audio"), 410, "recording_removed")
    assert (await client.get(job["links"]["turns"])).json()["turns"]
    refused = await client.post(f"/v1/jobs/{failed}/retry")
    assert_problem(refused, 409, "job_not_retryable")
    assert "recording" in refused.json()["detail"]
    receipt = (await client.delete(f"/v1/jobs/{done}")).json()
    assert (receipt["removed"], receipt["recording"]["kept"]) == (["result", "record"], False)
