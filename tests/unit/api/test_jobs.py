"""Looking at jobs, waiting for them, ending them."""

from __future__ import annotations

import csv
import io
import json
import time
from datetime import date
from typing import Any

import anyio
import httpx
import pytest

from parley_api.formats.focus import to_focus
from parley_core.errors import JobPurged
from parley_core.forecast import Estimate
from parley_core.job import Queue
from parley_core.status import Usage
from tests.support.api_fixture import ANSWERED_TURNS, AUDIO, ENGINE, TURN, ApiFixture, assert_problem, fail, succeed
from tests.support.fakes import new_job

pytestmark = pytest.mark.anyio

UNKNOWN = "00000000-0000-4000-8000-000000000000"
SOON = 25.0  # seconds: an answer that was not waited for, where the call would wait for 30

FOCUS_MANDATORY = {  # by version 1.2 of the specification
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart",
    "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost",
    "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName",
    "ServiceCategory", "ServiceName",
}  # fmt: skip


@pytest.fixture
async def job(client: httpx.AsyncClient) -> dict[str, Any]:
    response = await client.post("/v1/jobs", content=AUDIO, headers={"Content-Type": "audio/flac"})
    document: dict[str, Any] = response.json()
    return document


@pytest.mark.parametrize("path", ["", "/turns", "/audio", "/events"])
@pytest.mark.parametrize("job_id", [UNKNOWN, "none", "..%2f..", "00000000", "ü" * 400])
async def test_unknown_and_impossible_ids_are_not_found(client: httpx.AsyncClient, job_id: str, path: str) -> None:
    response = await client.get(f"/v1/jobs/{job_id}{path}")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("call", ["cancel", "retry"])
async def test_moves_of_an_unknown_job_are_not_found(client: httpx.AsyncClient, call: str) -> None:
    assert_problem(await client.post(f"/v1/jobs/{UNKNOWN}/{call}"), 404, "job_not_found")
    assert_problem(await client.delete(f"/v1/jobs/{UNKNOWN}"), 404, "job_not_found")


async def test_waiting_ends_at_the_next_change_of_state(
    api: ApiFixture, client: httpx.AsyncClient, job: dict[str, Any]
) -> None:
    async with anyio.create_task_group() as group:

        async def start_soon() -> None:
            await anyio.sleep(0.2)
            api.store.start_attempt(job["id"], "worker/1", 30)

        group.start_soon(start_soon)
        began = time.monotonic()
        seen = (await client.get(f"/v1/jobs/{job['id']}", params={"wait": 30})).json()
    assert seen["state"] == "running"
    assert 0.1 < time.monotonic() - began < SOON
    assert seen["attempts"][0]["worker"] == "worker/1"


async def test_waiting_in_vain_answers_the_job_after_the_time(client: httpx.AsyncClient, job: dict[str, Any]) -> None:
    began = time.monotonic()
    assert (await client.get(f"/v1/jobs/{job['id']}", params={"wait": 0.3})).json()["state"] == "queued"
    assert 0.3 <= time.monotonic() - began < SOON


async def test_nobody_waits_for_a_terminal_job(api: ApiFixture, client: httpx.AsyncClient, job: dict[str, Any]) -> None:
    succeed(api, job["id"])
    began = time.monotonic()
    seen = (await client.get(f"/v1/jobs/{job['id']}", params={"wait": 30})).json()
    assert seen["result"].pop("usage")["attempts"] == 1
    assert seen["result"] == {
        "speakers": 1, "turns": 1, "seconds_of_speech": 1.75, "engine": ENGINE, "timings": {"engine": 0.1},
        "turns_to_review": None, "seconds_to_review": None, "plausible_speakers": None, "speakers_to_review": None,
        "transcription": None,
    }  # fmt: skip
    assert seen["links"]["turns"] == f"/v1/jobs/{job['id']}/turns"
    assert time.monotonic() - began < SOON


@pytest.mark.parametrize("wait", ["-1", "61", "soon", "nan"])
async def test_a_wait_that_is_none_is_refused(client: httpx.AsyncClient, job: dict[str, Any], wait: str) -> None:
    assert_problem(await client.get(f"/v1/jobs/{job['id']}", params={"wait": wait}), 422, "invalid_option")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""), ("GET", "/turns"), ("GET", "/events"), ("GET", "/audio"), ("POST", "/cancel"), ("POST", "/retry"),
        ("DELETE", ""),
    ],
)  # fmt: skip
async def test_unknown_query_options_are_refused_everywhere(
    client: httpx.AsyncClient, job: dict[str, Any], method: str, path: str
) -> None:
    response = await client.request(method, f"/v1/jobs/{job['id']}{path}", params={"patience": "30"})
    assert_problem(response, 422, "unknown_option")


async def test_the_list_is_newest_first_filtered_and_paged(api: ApiFixture, client: httpx.AsyncClient) -> None:
    ids = []
    for number in range(5):
        options = {"reference": f"r{number % 2}", "queue": "batch" if number == 4 else "interactive"}
        response = await client.post("/v1/jobs", content=AUDIO, params=options, headers={"Content-Type": "audio/flac"})
        ids.append(response.json()["id"])
    first = (await client.get("/v1/jobs", params={"limit": 3})).json()
    second = (await client.get("/v1/jobs", params={"limit": 3, "cursor": first["next_cursor"]})).json()
    assert [job["id"] for job in first["jobs"] + second["jobs"]] == ids[::-1]
    assert second["next_cursor"] is None
    filtered = (await client.get("/v1/jobs", params={"reference": "r0", "queue": "interactive"})).json()
    assert [job["id"] for job in filtered["jobs"]] == [ids[2], ids[0]]
    assert (await client.get("/v1/jobs", params={"state": "failed"})).json()["jobs"] == []


async def test_jobs_are_listed_by_the_beginning_of_their_id(api: ApiFixture, client: httpx.AsyncClient) -> None:
    made = [
        new_job(job_id) for job_id in ("01a2f3c4-0000-7000-8000-00000000000a", "01a2f3c4-0001-7000-8000-00000000000b")
    ]
    for new in made:
        api.store.create(new)
    ids = [new.id for new in made]

    async def listed(prefix: str) -> list[str]:
        return [job["id"] for job in (await client.get("/v1/jobs", params={"id": prefix})).json()["jobs"]]

    assert await listed("01a2f3c4") == ids[::-1]
    assert await listed("01A2F3C4-0001") == [ids[1]]
    assert await listed(ids[0]) == [ids[0]]
    assert await listed("01a2f3c5") == []
    for wrong in ("", "01a", "job-1", "01a2f3c4" * 5, "%"):
        assert_problem(await client.get("/v1/jobs", params={"id": wrong}), 422, "invalid_option")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"state": "lost"}, "invalid_option"),
        ({"limit": "0"}, "invalid_option"),
        ({"limit": "1000"}, "invalid_option"),
        ({"order": "oldest"}, "unknown_option"),
        ({"cursor": "somewhere"}, "invalid_request"),
    ],
)
async def test_a_list_that_cannot_be_is_refused(client: httpx.AsyncClient, query: dict[str, str], code: str) -> None:
    assert_problem(await client.get("/v1/jobs", params=query), 422, code)


async def test_cancel_is_terminal_at_once_and_once(client: httpx.AsyncClient, job: dict[str, Any]) -> None:
    response = await client.post(f"/v1/jobs/{job['id']}/cancel")
    assert (response.status_code, response.json()["state"]) == (202, "cancelled")
    assert_problem(await client.post(f"/v1/jobs/{job['id']}/cancel"), 409, "job_already_terminal")


async def test_retry_brings_a_failed_job_back_and_no_other(
    api: ApiFixture, client: httpx.AsyncClient, job: dict[str, Any]
) -> None:
    assert_problem(await client.post(f"/v1/jobs/{job['id']}/retry"), 409, "job_not_retryable")
    fail(api, job["id"])
    failed = (await client.get(f"/v1/jobs/{job['id']}")).json()
    assert failed["error"] == {"code": "engine_error", "detail": "The engine broke."}
    response = await client.post(f"/v1/jobs/{job['id']}/retry")
    assert (response.status_code, response.json()["state"], response.json()["attempts"]) == (202, "queued", [])
    assert [dispatch.token for dispatch in api.queue.published] == [0, 1]


async def test_a_deletion_removes_recording_result_and_record_and_says_so(
    api: ApiFixture, client: httpx.AsyncClient, job: dict[str, Any]
) -> None:
    succeed(api, job["id"])
    receipt = (await client.delete(f"/v1/jobs/{job['id']}")).json()
    assert receipt["removed"] == ["recording", "result", "record"]
    assert receipt["recording"]["sha256"] == job["recording"]["sha256"]
    assert api.sounds == {}
    for path in ("", "/turns", "/audio"):
        assert_problem(await client.get(f"/v1/jobs/{job['id']}{path}"), 410, "job_purged")
    assert_problem(await client.delete(f"/v1/jobs/{job['id']}"), 410, "job_purged")


async def test_a_retry_in_the_middle_of_a_deletion_is_refused(
    api: ApiFixture, client: httpx.AsyncClient, job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(api, job["id"])
    tried: list[int] = []
    delete = api.recordings.delete

    def retry_meanwhile(key: str) -> None:
        with pytest.raises(JobPurged):
            api.store.retry(job["id"])
        tried.append(1)
        delete(key)

    monkeypatch.setattr(api.recordings, "delete", retry_meanwhile)
    assert (await client.delete(f"/v1/jobs/{job['id']}")).status_code == 200
    assert tried


async def test_an_unfinished_job_is_not_deleted(
    api: ApiFixture, client: httpx.AsyncClient, job: dict[str, Any]
) -> None:
    assert_problem(await client.delete(f"/v1/jobs/{job['id']}"), 409, "job_not_finished")
    assert len(api.sounds) == 1


async def test_queues_tell_what_waits_and_what_runs(
    api: ApiFixture, client: httpx.AsyncClient, job: dict[str, Any]
) -> None:
    await client.post("/v1/jobs", content=AUDIO, headers={"Content-Type": "audio/flac"})
    api.store.start_attempt(job["id"], "worker/1", 30)
    api.store.register_worker("worker", Queue.INTERACTIVE, 2, 30)
    interactive, batch = (await client.get("/v1/queues")).json()["queues"]
    assert interactive.pop("oldest_seconds") >= 0
    served = {"workers": 1, "capacity": 2}
    assert interactive == {"queue": "interactive", "unfinished": 2, "waiting": 1, "running": 1} | served
    nothing = {"unfinished": 0, "waiting": 0, "running": 0, "workers": 0, "capacity": 0}
    assert batch == {"queue": "batch", "oldest_seconds": None} | nothing


async def test_usage_is_the_tenants_own_by_day_and_in_each_result(
    api: ApiFixture, client: httpx.AsyncClient, job: dict[str, Any]
) -> None:
    nothing = (await client.get("/v1/usage")).json()
    assert (nothing["days"], nothing["total"]["attempts"]) == ([], 0)
    succeed(api, job["id"])
    used = (await client.get(f"/v1/jobs/{job['id']}")).json()["result"]["usage"]
    assert used.pop("wait_seconds") >= 0
    seconds = job["recording"]["seconds"]
    engine = {"engine_seconds": 0.1, "engine_cpu_seconds": 0.0}
    assert used == {"audio_seconds": seconds, **engine, "transcribed_seconds": 0.0, "attempts": 1}
    found = (await client.get("/v1/usage", params={"first": nothing["first"]})).json()
    assert [(day["queue"], day["succeeded"], day["audio_seconds"]) for day in found["days"]] == [
        ("interactive", 1, seconds)
    ]
    assert found["total"].items() <= found["days"][0].items()
    before = {"first": "2020-01-01", "last": "2020-12-31"}
    assert (await client.get("/v1/usage", params=before)).json()["days"] == []


async def test_usage_by_focus_has_the_mandatory_columns_and_the_sums_of_the_json(
    api: ApiFixture, client: httpx.AsyncClient, job: dict[str, Any]
) -> None:
    succeed(api, job["id"])
    used = (await client.get("/v1/usage")).json()["days"][0]
    answers = [
        await client.get("/v1/usage", headers={"Accept": "text/csv"}),
        await client.get("/v1/usage", params={"format": "csv"}),
    ]
    assert answers[0].text == answers[1].text
    assert {answer.headers["content-type"] for answer in answers} == {"text/csv; charset=utf-8"}
    (row,) = csv.DictReader(io.StringIO(answers[0].text))
    assert row.keys() >= FOCUS_MANDATORY
    assert {name for name in FOCUS_MANDATORY if not row[name]} == {"ChargeClass"}
    assert float(row["ConsumedQuantity"]) * 3600 == pytest.approx(used["audio_seconds"], abs=1e-3)
    assert float(row["x_EngineHours"]) * 3600 == pytest.approx(used["engine_seconds"], abs=1e-3)
    assert (row["SubAccountId"], row["x_Queue"], row["x_Succeeded"]) == ("default", used["queue"], "1")
    assert row["ChargePeriodStart"] == f"{used['day']}T00:00:00Z" < row["ChargePeriodEnd"]
    assert row["BillingPeriodStart"] == f"{used['day'][:7]}-01T00:00:00Z" < row["BillingPeriodEnd"]
    december = to_focus("default", [Usage(date(2024, 12, 31), Queue.BATCH, succeeded=1)])
    assert "2025-01-01T00:00:00Z,2024-12-01T00:00:00Z" in december
    both = await client.get("/v1/usage", headers={"Accept": "text/csv"}, params={"format": "json"})
    assert both.json()["days"] == [used]
    assert (await client.get("/v1/usage", headers={"Accept": "*/*"})).json()["days"] == [used]


async def test_each_turn_says_whether_it_needs_review_by_the_bound_of_its_engine(
    api: ApiFixture, client: httpx.AsyncClient, job: dict[str, Any]
) -> None:
    engine = ENGINE | {"parameters": {"review_below": 0.7}}
    turns = [TURN | {"confidence": confidence} for confidence in (0.699, 0.7, None)]
    succeed(api, job["id"], engine=engine, turns=turns, exclusive_turns=turns[:1])
    url = f"/v1/jobs/{job['id']}/turns"
    answer = (await client.get(url)).json()
    assert [turn["needs_review"] for turn in answer["turns"]] == [True, False, None]
    assert [turn["needs_review"] for turn in answer["exclusive_turns"]] == [True]
    assert len((await client.get(url, params={"format": "rttm"})).text.splitlines()) == 3


async def test_turns_are_what_the_worker_stored(
    api: ApiFixture, client: httpx.AsyncClient, job: dict[str, Any]
) -> None:
    result = succeed(api, job["id"])
    response = await client.get(f"/v1/jobs/{job['id']}/turns")
    assert response.headers["content-type"] == "application/json"
    assert response.json() == result | ANSWERED_TURNS


@pytest.mark.parametrize("accept", ["*/*", "application/*", "application/json, text/plain", "", "text/plain;q=0, */*"])
async def test_json_by_accept(api: ApiFixture, client: httpx.AsyncClient, job: dict[str, Any], accept: str) -> None:
    succeed(api, job["id"])
    response = await client.get(f"/v1/jobs/{job['id']}/turns", headers={"Accept": accept})
    assert response.headers["content-type"] == "application/json"


async def test_the_format_option_goes_before_accept(
    api: ApiFixture, client: httpx.AsyncClient, job: dict[str, Any]
) -> None:
    succeed(api, job["id"])
    url, headers = f"/v1/jobs/{job['id']}/turns", {"Accept": "application/json"}
    assert (await client.get(url, params={"format": "rttm"}, headers=headers)).text.startswith("SPEAKER")
    assert_problem(await client.get(url, params={"format": "docx"}), 422, "invalid_option")
    for accept in ("application/pdf", "*/*;q=0", "application/json;q=0", "application/json;q=much"):
        assert_problem(await client.get(url, headers={"Accept": accept}), 406, "not_acceptable")


async def test_turns_of_a_job_without_any_say_why(
    api: ApiFixture, client: httpx.AsyncClient, job: dict[str, Any]
) -> None:
    url = f"/v1/jobs/{job['id']}/turns"
    assert assert_problem(await client.get(url), 409, "job_not_finished")["state"] == "queued"
    fail(api, job["id"])
    problem = assert_problem(await client.get(url), 409, "job_not_succeeded")
    assert problem["error"] == {"code": "engine_error", "detail": "The engine broke."}
    assert problem["state"] == "failed"


def events_in(text: str) -> list[dict[str, str]]:
    return [dict(line.split(": ", 1) for line in block.splitlines()) for block in text.split("\n\n") if block]


def states_of(events: list[dict[str, str]]) -> list[str]:
    return [json.loads(event["data"])["state"] for event in events]


async def test_events_come_while_they_happen_and_end_with_the_job(
    api: ApiFixture, client: httpx.AsyncClient, job: dict[str, Any]
) -> None:
    async with anyio.create_task_group() as group:

        async def live() -> None:
            await anyio.sleep(0.3)
            api.store.start_attempt(job["id"], "worker/1", 30)
            await anyio.sleep(0.3)
            api.store.cancel(job["id"])

        group.start_soon(live)
        whole = await client.get(f"/v1/jobs/{job['id']}/events")
    assert whole.headers["content-type"].startswith("text/event-stream")
    assert states_of(events_in(whole.text)) == ["accepted", "queued", "running", "cancelled"]


async def test_the_estimate_is_in_the_job_its_lists_and_its_newest_event(
    api: ApiFixture, client: httpx.AsyncClient, job: dict[str, Any]
) -> None:
    assert (job["eta_seconds"], job["eta"]) == (None, None)
    api.store.estimates[job["id"]] = Estimate(40.0, 30.0, 55.0)
    expected = {"seconds": 40.0, "low": 30.0, "high": 55.0}
    seen = (await client.get(f"/v1/jobs/{job['id']}", params={"wait": 0.1})).json()
    assert (seen["eta_seconds"], seen["eta"]) == (40.0, expected)
    assert (await client.get("/v1/jobs")).json()["jobs"][0]["eta"] == expected
    async with anyio.create_task_group() as group:

        async def live() -> None:
            await anyio.sleep(0.2)
            succeed(api, job["id"])

        group.start_soon(live)
        events = events_in((await client.get(f"/v1/jobs/{job['id']}/events")).text)
    estimates = [json.loads(event["data"])["eta"] for event in events]
    assert estimates[:2] == [None, expected]
    assert estimates[-1] is None
    ended = (await client.get(f"/v1/jobs/{job['id']}")).json()
    assert (ended["eta_seconds"], ended["eta"]) == (None, None)


async def test_events_resume_with_the_end_of_a_job_that_has_ended(
    api: ApiFixture, client: httpx.AsyncClient, job: dict[str, Any]
) -> None:
    seen = api.store.events(job["id"])
    succeed(api, job["id"])
    url = f"/v1/jobs/{job['id']}/events"
    whole = await client.get(url)
    assert states_of(events_in(whole.text)) == ["succeeded"]
    rest = await client.get(url, headers={"Last-Event-ID": seen[-1].id})
    assert rest.text == whole.text
    assert_problem(await client.get(url, headers={"Last-Event-ID": "the last"}), 422, "invalid_option")


async def test_the_recording_comes_back_whole_and_in_ranges(client: httpx.AsyncClient, job: dict[str, Any]) -> None:
    url = f"/v1/jobs/{job['id']}/audio"
    whole = await client.get(url)
    assert whole.content == AUDIO
    assert whole.headers["content-type"] == "audio/flac"
    assert whole.headers["etag"] == f'"{job["recording"]["sha256"]}"'
    part = await client.get(url, headers={"Range": "bytes=4-7"})
    assert (part.status_code, part.content) == (206, AUDIO[4:8])
    beyond = await client.get(url, headers={"Range": "bytes=999999-"})
    assert_problem(beyond, 416, "invalid_range")
    assert beyond.headers["content-range"] == f"bytes */{len(AUDIO)}"
    assert_problem(await client.get(url, headers={"Range": "bytes=x"}), 400, "invalid_range")
