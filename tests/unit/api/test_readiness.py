"""What decides where requests go is content with less than what people are told about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from parley_api.runtime import readiness
from parley_core.errors import JobStoreUnusable
from tests.support.api_fixture import ApiFixture, assert_problem

pytestmark = pytest.mark.anyio
DEGRADED = "/readyz?degraded=true"


@pytest.mark.parametrize("part", ["store", "recordings"])
async def test_one_store_of_two_is_enough_to_be_sent_requests(
    api: ApiFixture, client: httpx.AsyncClient, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "SETTLE_SECONDS", 0.0)
    getattr(api, part).available = False
    assert_problem(await client.get("/readyz"), 503, "not_ready")
    assert (await client.get(DEGRADED)).status_code == 200


async def test_a_process_that_has_just_started_is_sent_none_until_it_has_seen_both(
    api: ApiFixture, client: httpx.AsyncClient
) -> None:
    api.store.available = False
    assert_problem(await client.get(DEGRADED), 503, "not_ready")
    api.store.available = True
    assert (await client.get(DEGRADED)).status_code == 200
    api.store.available = False
    assert (await client.get(DEGRADED)).status_code == 200


async def test_with_neither_store_nothing_can_be_answered(api: ApiFixture, client: httpx.AsyncClient) -> None:
    api.recordings.available = api.store.available = False
    assert_problem(await client.get(DEGRADED), 503, "not_ready")


async def test_a_redis_that_would_lose_jobs_gets_no_requests(
    api: ApiFixture, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    unsafe = replace(api.store.health(), eviction_policy="allkeys-lru")
    monkeypatch.setattr(api.store, "health", lambda: unsafe)
    assert_problem(await client.get(DEGRADED), 503, "not_ready")


async def test_a_redis_that_cannot_be_used_is_named_and_gets_no_requests(
    api: ApiFixture, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.store, "health", unusable)
    problem = assert_problem(await client.get(DEGRADED), 503, "not_ready")
    assert problem["missing"] == {"redis": "Redis runs in cluster mode."}
    assert await parts(client) == {"redis": 0, "objects": 1}


def unusable(*_: object) -> Any:
    raise JobStoreUnusable("Redis runs in cluster mode.")


async def parts(client: httpx.AsyncClient) -> dict[str, float]:
    families = text_string_to_metric_families((await client.get("/metrics")).text)
    samples = [sample for family in families if family.name == "parley_part_ready" for sample in family.samples]
    return {sample.labels["part"]: sample.value for sample in samples}


async def test_metrics_name_the_missing_part_as_readyz_does(api: ApiFixture, client: httpx.AsyncClient) -> None:
    assert await parts(client) == {"redis": 1, "objects": 1}
    api.store.available = False
    assert await parts(client) == {"redis": 0, "objects": 1}


async def test_errors_of_attempts_are_counted_from_zero(client: httpx.AsyncClient) -> None:
    """A counter that appears at 3 has no increase: an alert would miss three lost attempts."""
    text = (await client.get("/metrics")).text
    for code in ("worker_lost", "engine_error", "attempt_timed_out", "unreadable_recording"):
        assert f'parley_attempts_failed_total{{code="{code}",queue="batch"}} 0.0' in text
        assert f'parley_jobs_failed_total{{code="{code}",queue="interactive"}} 0.0' in text
