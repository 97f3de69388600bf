"""Problems, health, metrics and the API's description of itself."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib.resources import files

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from parley_api.http import problems
from parley_api.http.problems import RETRY_AFTER, STATUS, from_error, look_up
from parley_api.runtime import readiness, record_metrics
from parley_core import errors
from parley_core.errors import AttemptEnded, ParleyError
from tests.support.api_fixture import AUDIO, ApiFixture, assert_problem
from tests.support.fakes import new_job
from tests.support.waiting import hanging

pytestmark = pytest.mark.anyio


async def test_nowhere_is_a_problem(client: httpx.AsyncClient) -> None:
    assert_problem(await client.get("/nowhere"), 404, "not_found")
    assert_problem(await client.get("/v1/jobs/"), 404, "not_found")


async def test_a_wrong_method_is_a_problem_that_names_the_right_ones(client: httpx.AsyncClient) -> None:
    response = await client.put("/v1/queues")
    assert_problem(response, 405, "method_not_allowed")
    assert response.headers["allow"] == "GET"
    assert (await client.put("/v1/jobs/x")).headers["allow"] == "DELETE, GET"
    assert (await client.put("/docs")).headers["allow"] == "GET"


def every(kind: type[ParleyError]) -> list[type[ParleyError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in every(child))]


NOT_OVER_HTTP = {
    ParleyError,
    errors.PermanentError,
    errors.RetryableError,
    errors.UnsafeSettings,
    errors.EngineMismatch,
}


def test_every_error_that_a_request_can_meet_has_a_status() -> None:
    for kind in set(every(ParleyError)) - set(every(AttemptEnded)) - NOT_OVER_HTTP:
        error = kind.__new__(kind)
        status = look_up(STATUS, error)
        assert status is not None, kind
        assert (look_up(RETRY_AFTER, error) is not None) == (
            status in (408, 429, 503) or kind is errors.IdempotencyKeyInUse
        )


def test_an_error_without_a_status_is_the_servers_fault() -> None:
    assert from_error(errors.EngineMismatch("other weights")).status_code == 500


def test_a_code_means_one_status() -> None:
    statuses: dict[str, set[int | None]] = {}
    for kind in set(every(ParleyError)) - set(every(AttemptEnded)) - NOT_OVER_HTTP:
        statuses.setdefault(kind.code, set()).add(look_up(STATUS, kind.__new__(kind)))
    assert {code: found for code, found in statuses.items() if len(found) > 1} == {}


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
async def test_a_healthy_api_says_ok(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_not_ready_names_what_is_missing(api: ApiFixture, client: httpx.AsyncClient) -> None:
    api.store.available = False
    response = await client.get("/readyz")
    problem = assert_problem(response, 503, "not_ready")
    assert list(problem["missing"]) == ["redis"]  # type: ignore[call-overload]
    assert "retry-after" in response.headers
    assert (await client.get("/livez")).status_code == 200


async def test_not_ready_without_a_place_for_recordings(api: ApiFixture, client: httpx.AsyncClient) -> None:
    api.recordings.available = api.store.available = False
    problem = assert_problem(await client.get("/readyz"), 503, "not_ready")
    assert list(problem["missing"]) == ["redis", "objects"]  # type: ignore[call-overload]


async def test_a_redis_that_would_lose_jobs_is_not_ready(
    api: ApiFixture, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    unsafe = replace(api.store.health(), eviction_policy="allkeys-lru")
    monkeypatch.setattr(api.store, "health", lambda: unsafe)
    problem = assert_problem(await client.get("/readyz"), 503, "not_ready")
    assert "noeviction" in str(problem["detail"])


async def test_readiness_answers_in_time_when_both_stores_hang(
    api: ApiFixture, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert readiness.CHECK_SECONDS < 2  # a probe of Kubernetes waits for no longer
    with hanging() as hang:
        monkeypatch.setattr(api.store, "health", hang)
        monkeypatch.setattr(api.recordings, "check", hang)
        problem = assert_problem(await client.get("/readyz"), 503, "not_ready")
    assert list(problem["missing"]) == ["redis", "objects"]  # type: ignore[call-overload]


async def samples(client: httpx.AsyncClient) -> dict[str, float]:
    text = (await client.get("/metrics")).text
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def labelled(name: str, **labels: str) -> str:
    return f"{name}{sorted(labels.items())}"


async def test_metrics_are_the_records_counters(api: ApiFixture, client: httpx.AsyncClient) -> None:
    for _ in range(3):
        await client.post("/v1/jobs", content=AUDIO, headers={"Content-Type": "audio/flac"})
    api.store.create(new_job())
    found = await samples(client)
    assert found["parley_up[]"] == 1
    assert found[labelled("parley_jobs_accepted_total", queue="interactive")] == 4
    assert found[labelled("parley_jobs_accepted_total", queue="batch")] == 0
    assert found[labelled("parley_jobs_succeeded_total", queue="interactive")] == 0
    assert found[labelled("parley_queue_unfinished", queue="interactive")] == 4
    assert labelled("parley_queue_oldest_seconds", queue="batch") not in found
    assert found[labelled("parley_http_requests_total", method="POST", route="/v1/jobs", status="202")] == 3


async def test_histograms_are_cumulative_and_whole(
    api: ApiFixture, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    counters = {
        "wait_seconds_bucket|le=0.05|queue=batch": 2,
        "wait_seconds_bucket|le=1|queue=batch": 3,
        "wait_seconds_bucket|le=+Inf|queue=batch": 1,
        "wait_seconds_sum_ms|queue=batch": 12_500,
        "wait_seconds_count|queue=batch": 6,
        "attempts_failed|code=worker_lost|queue=batch": 2,
        "something_new|queue=batch": 5,
    }
    stats = replace(api.store.stats(), counters=counters)
    monkeypatch.setattr(api.store, "stats", lambda: stats)
    found = await samples(client)
    bucket = "parley_wait_seconds_bucket"
    assert [found[labelled(bucket, le=le, queue="batch")] for le in ("0.05", "0.5", "1.0", "7200.0", "+Inf")] == [
        2, 2, 5, 5, 6
    ]  # fmt: skip
    assert found[labelled("parley_wait_seconds_sum", queue="batch")] == 12.5
    assert found[labelled("parley_wait_seconds_count", queue="batch")] == 6
    assert found[labelled("parley_attempts_failed_total", code="worker_lost", queue="batch")] == 2
    assert found[labelled("parley_something_new_total", queue="batch")] == 5


def test_histogram_bounds_are_those_of_the_moves() -> None:
    library = (files("parley_core.redis") / "lua" / "lib.lua").read_text()
    for name, what in (("WAIT_BUCKETS", "wait_seconds"), ("RUN_BUCKETS", "run_seconds")):
        match = re.search(rf"{name} = {{(.+)}}", library)
        assert match is not None
        assert tuple(float(bound) for bound in match[1].split(",")) == record_metrics.HISTOGRAMS[what][1]


async def test_what_cannot_be_read_is_left_out_and_not_zero(api: ApiFixture, client: httpx.AsyncClient) -> None:
    api.store.available = False
    found = await samples(client)
    assert found["parley_up[]"] == 0
    assert not [name for name in found if not name.startswith(("parley_up", "parley_part_ready", "parley_http"))]


async def test_openmetrics_by_accept(client: httpx.AsyncClient) -> None:
    response = await client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert response.headers["content-type"].startswith("application/openmetrics-text")
    assert response.text.endswith("# EOF\n")


async def test_docs_need_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(links) == 3
    for link in links:
        assert "//" not in link
        asset = await client.get(f"/{link}")
        assert asset.status_code == 200
        assert len(asset.content) > 50
    assert "'self'" in page.headers["content-security-policy"]


async def test_openapi_describes_bodies_and_problems(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    submit = document["paths"]["/v1/jobs"]["post"]
    assert set(submit["requestBody"]["content"]) == {"multipart/form-data", "audio/*"}
    assert {"401", "413", "415", "422", "429", "503"} <= set(submit["responses"])
    assert list(submit["responses"]["413"]["content"]) == [problems.MEDIA_TYPE]
    assert list(submit["responses"]["422"]["content"]) == [problems.MEDIA_TYPE]
    assert "example" in document["components"]["schemas"]["JobAnswer"]
    assert {parameter["name"] for parameter in submit["parameters"]} >= {"Idempotency-Key", "num_speakers"}
