"""Health and metrics."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib.resources import files

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from parley_api.runtime import readiness, record_metrics
from parley_audio import missing_confinement
from tests.support.api_fixture import AUDIO, ApiFixture, assert_problem
from tests.support.fakes import new_job
from tests.support.waiting import hanging

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("path", ["/healthz", "/livez"])
async def test_a_healthy_api_says_ok(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_readiness_says_which_confinement_decoders_lack(client: httpx.AsyncClient) -> None:
    response = await client.get("/readyz")
    expected = {"status": "ok", "decoder_lacks": list(missing_confinement()), "transcribes": False}
    assert (response.status_code, response.json()) == (200, expected)


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


async def test_refusals_are_counted_by_their_code_and_long_polls_have_a_route_of_their_own(
    client: httpx.AsyncClient,
) -> None:
    before = await samples(client)
    assert before[labelled("parley_http_problems_total", code="queue_full")] == 0
    await client.post("/v1/jobs", content=b"a poem", headers={"Content-Type": "audio/flac"})
    accepted = await client.post("/v1/jobs", content=AUDIO, headers={"Content-Type": "audio/flac"})
    await client.get(f"/v1/jobs/{accepted.json()['id']}?wait=0")
    found = await samples(client)
    assert found[labelled("parley_http_problems_total", code="not_audio")] == 1
    assert (
        found[labelled("parley_http_requests_total", method="GET", route="/v1/jobs/{job_id}?wait", status="200")] == 1
    )


async def test_times_of_the_record_are_exported_in_seconds(
    api: ApiFixture, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    counters = {
        "audio_ms|queue=batch": 1_500,
        "tenant_unfinished|tenant=clinic": 3,
        "tenant_jobs_ended|tenant=clinic": 4,
        "stored_recording_bytes|queue=batch": 77,
    }
    stats = replace(api.store.stats(), counters=counters)
    monkeypatch.setattr(api.store, "stats", lambda: stats)
    found = await samples(client)
    assert found[labelled("parley_audio_seconds_total", queue="batch")] == 1.5
    assert found[labelled("parley_audio_seconds_total", queue="interactive")] == 0
    assert found[labelled("parley_tenant_unfinished", tenant="clinic")] == 3
    assert found[labelled("parley_tenant_jobs_ended_total", tenant="clinic")] == 4
    assert found[labelled("parley_stored_recording_bytes", queue="batch")] == 77
    assert found["parley_retention_lag_seconds[]"] == 0


def test_histogram_bounds_are_those_of_the_moves() -> None:
    library = (files("parley_core.redis") / "lua" / "lib.lua").read_text()
    found = dict(re.findall(r"^  (\w+) = {([\d., ]+)},$", library, re.MULTILINE))
    bounds = {what: tuple(float(bound) for bound in text.split(",")) for what, text in found.items()}
    assert bounds == {what: bounds for what, (_, bounds) in record_metrics.HISTOGRAMS.items()}


async def test_what_cannot_be_read_is_left_out_and_not_zero(api: ApiFixture, client: httpx.AsyncClient) -> None:
    api.store.available = False
    found = await samples(client)
    assert found["parley_up[]"] == 0
    assert not [
        name for name in found if not name.startswith(("parley_up", "parley_part_ready", "parley_http", "parley_audit"))
    ]


async def test_openmetrics_by_accept(client: httpx.AsyncClient) -> None:
    response = await client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert response.headers["content-type"].startswith("application/openmetrics-text")
    assert response.text.endswith("# EOF\n")


async def test_a_bucket_of_requests_names_the_trace_of_one_of_its_jobs(client: httpx.AsyncClient) -> None:
    job = (await client.post("/v1/jobs", content=AUDIO, headers={"Content-Type": "audio/flac"})).json()["id"]
    await client.get("/v1/queues")
    text = (await client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})).text
    found = dict(re.findall(r'http_request_seconds_bucket{.*?route="(.*?)".*} \S+ # {trace_id="(\w+)"}', text))
    assert found == {"/v1/jobs": job.replace("-", "")}
    assert "trace_id" not in (await client.get("/metrics")).text  # the older format has no exemplars
