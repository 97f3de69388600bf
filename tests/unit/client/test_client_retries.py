"""When both clients send a call again, and when they give up."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from parley import AsyncParley, Parley, ParleyApiError, ParleyConnectionError, ParleyUnavailable, RetryPolicy
from tests.unit.client.conftest import Connect
from tests.unit.client.scripted import HANG_UP, JOB_ID, Reply, ScriptedServer, job_document, problem

JOB = f"/v1/jobs/{JOB_ID}"
BUSY = problem(503, "job_store_unavailable", "Redis does not answer.", Retry_After="2")


def test_a_submit_without_a_response_is_repeated_in_full_with_the_same_key(
    server: ScriptedServer, client: Parley, recording: Path
) -> None:
    server.on("POST", "/v1/jobs", HANG_UP, HANG_UP, Reply(202, job_document()))
    assert client.submit(recording).id == JOB_ID
    assert [request.body for request in server.requests] == [b"fLaC"] * 3
    assert len({request.headers["Idempotency-Key"] for request in server.requests}) == 1


def test_a_key_that_an_earlier_try_holds_is_waited_for_without_counting_tries(
    server: ScriptedServer, connect: Connect, recording: Path, pauses: list[float]
) -> None:
    held = problem(409, "idempotency_key_in_use", "The first request is in progress.", Retry_After="2")
    server.on("POST", "/v1/jobs", HANG_UP, *[held] * 30, Reply(202, job_document()))
    assert connect(server.url, retry=RetryPolicy(tries=2)).submit(recording).id == JOB_ID
    assert pauses[1:] == [2.0] * 30


def test_a_key_that_stays_in_use_ends_the_call(
    server: ScriptedServer, client: Parley, recording: Path, pauses: list[float]
) -> None:
    server.on(
        "POST", "/v1/jobs", problem(409, "idempotency_key_in_use", "The first request is in progress.", Retry_After="2")
    )
    with pytest.raises(ParleyApiError, match="idempotency_key_in_use"):
        client.submit(recording)
    assert sum(pauses) == 90.0


def test_other_conflicts_are_not_repeated(server: ScriptedServer, client: Parley, recording: Path) -> None:
    server.on("POST", "/v1/jobs", problem(422, "idempotency_key_reused", "Other content."))
    with pytest.raises(ParleyApiError):
        client.submit(recording)
    assert len(server.requests) == 1


def test_the_server_sets_the_pause(server: ScriptedServer, client: Parley, pauses: list[float]) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    too_many = problem(429, "queue_full", "The queue is full.", Retry_After=later)
    server.on("GET", JOB, BUSY, too_many, Reply(document=job_document()))
    client.job(JOB_ID)
    assert pauses[0] == 2.0
    assert 15.0 < pauses[1] <= 20.0


def test_a_pause_longer_than_the_policy_allows_ends_the_call(
    server: ScriptedServer, client: Parley, pauses: list[float]
) -> None:
    server.on("GET", JOB, problem(429, "rate_limited", "Come back tomorrow.", Retry_After="86400"))
    with pytest.raises(ParleyUnavailable) as caught:
        client.job(JOB_ID)
    assert caught.value.retry_after == 86400
    assert pauses == []


def test_the_backoff_doubles_and_tries_are_counted(
    server: ScriptedServer, connect: Connect, pauses: list[float]
) -> None:
    server.on("GET", JOB, problem(502, "bad_gateway", "No server behind the proxy."))
    with pytest.raises(ParleyUnavailable):
        connect(server.url, retry=RetryPolicy(tries=5, first_backoff=1.0)).job(JOB_ID)
    assert len(server.requests) == 5
    assert all(full / 2 <= wait <= full for full, wait in zip([1, 2, 4, 8], pauses, strict=True))


@pytest.mark.parametrize("lost", [HANG_UP, problem(504, "gateway_timeout", "Too slow.")])
def test_a_cancel_that_the_server_may_have_done_is_not_repeated(
    server: ScriptedServer, client: Parley, lost: object
) -> None:
    server.on("POST", f"{JOB}/cancel", lost)
    with pytest.raises((ParleyConnectionError, ParleyUnavailable)):
        client.cancel(JOB_ID)
    assert len(server.requests) == 1


def test_a_cancel_that_the_server_refused_for_now_is_repeated(server: ScriptedServer, client: Parley) -> None:
    server.on("POST", f"{JOB}/cancel", BUSY, Reply(202, job_document(state="cancelled")))
    assert client.cancel(JOB_ID).state == "cancelled"


def test_each_retry_is_reported(server: ScriptedServer, connect: Connect) -> None:
    retries: list[tuple[str, float]] = []
    server.on("GET", JOB, BUSY, Reply(document=job_document()))
    connect(server.url, on_retry=lambda error, seconds: retries.append((str(error), seconds))).job(JOB_ID)
    assert retries == [("Redis does not answer. (503 job_store_unavailable)", 2.0)]


def test_a_refused_connection_fails_within_2_seconds_of_backoff_and_says_how_to_start_a_server(
    connect: Connect, pauses: list[float]
) -> None:
    with pytest.raises(ParleyConnectionError, match=r"No response from http://127\.0\.0\.1:9.*`make run`"):
        connect("http://127.0.0.1:9").job(JOB_ID)
    assert 0.0 < sum(pauses) <= 2.0


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:9", "the connection was refused"),
        ("http://localhost:9", "the connection was refused"),
        ("http://no-such-host.invalid", "there is no host of this name"),
    ],
)
def test_a_failed_connection_is_explained_without_the_words_of_a_library(url: str, reason: str) -> None:
    async def ask() -> None:
        async with AsyncParley(url, retry=RetryPolicy(tries=1)) as parley:
            await parley.job(JOB_ID)

    expected = re.escape(f"No response from {url}: {reason}. Start a server")
    with pytest.raises(ParleyConnectionError, match=expected), Parley(url, retry=RetryPolicy(tries=1)) as client:
        client.job(JOB_ID)
    with pytest.raises(ParleyConnectionError, match=expected):
        asyncio.run(ask())


def test_a_refused_connection_to_a_server_that_responded_before_is_a_restart_and_has_all_tries(
    connect: Connect, pauses: list[float]
) -> None:
    server = ScriptedServer()
    server.on("GET", JOB, Reply(document=job_document(), headers={"Connection": "close"}))
    client = connect(server.url)
    client.job(JOB_ID)
    server.close()
    with pytest.raises(ParleyConnectionError):
        client.job(JOB_ID)
    assert len(pauses) == RetryPolicy().tries - 1
