"""A call is tried again where that is safe, under one key, patiently but not for ever."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from parley import Parley, ParleyApiError, ParleyConnectionError, ParleyUnavailable, RetryPolicy
from tests.unit.client.scripted import HANG_UP, Reply, ScriptedServer, job_document, problem

JOB = "/v1/jobs/job-1"
BUSY = problem(503, "job_store_unavailable", "Redis does not answer.", Retry_After="2")


def test_a_submit_whose_answer_was_lost_is_repeated_whole_under_the_same_key(
    server: ScriptedServer, client: Parley, recording: Path
) -> None:
    server.on("POST", "/v1/jobs", HANG_UP, HANG_UP, Reply(202, job_document()))
    assert client.submit(recording).id == "job-1"
    assert [request.body for request in server.requests] == [b"fLaC"] * 3
    assert len({request.headers["Idempotency-Key"] for request in server.requests}) == 1


def test_a_key_still_held_by_the_lost_try_is_waited_for_beside_the_other_tries(
    server: ScriptedServer, recording: Path, pauses: list[float]
) -> None:
    held = problem(409, "idempotency_key_in_use", "The first request is still being answered.", Retry_After="2")
    server.on("POST", "/v1/jobs", HANG_UP, *[held] * 30, Reply(202, job_document()))
    with Parley(server.url, retry=RetryPolicy(tries=2), pause=pauses.append) as client:
        assert client.submit(recording).id == "job-1"
    assert pauses[1:] == [2.0] * 30


def test_a_key_held_for_ever_is_given_up(
    server: ScriptedServer, client: Parley, recording: Path, pauses: list[float]
) -> None:
    server.on("POST", "/v1/jobs", problem(409, "idempotency_key_in_use", "Still being answered.", Retry_After="2"))
    with pytest.raises(ParleyApiError, match="idempotency_key_in_use"):
        client.submit(recording)
    assert sum(pauses) == 90.0


def test_other_conflicts_are_not_repeated(server: ScriptedServer, client: Parley, recording: Path) -> None:
    server.on("POST", "/v1/jobs", problem(422, "idempotency_key_reused", "Other content."))
    with pytest.raises(ParleyApiError):
        client.submit(recording)
    assert len(server.requests) == 1


def test_the_server_says_how_long_to_wait(server: ScriptedServer, client: Parley, pauses: list[float]) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    too_many = problem(429, "queue_full", "The queue is full.", Retry_After=later)
    server.on("GET", JOB, BUSY, too_many, Reply(document=job_document()))
    client.job("job-1")
    assert pauses[0] == 2.0
    assert 15.0 < pauses[1] <= 20.0


def test_a_server_that_wants_peace_for_long_is_not_asked_again(
    server: ScriptedServer, client: Parley, pauses: list[float]
) -> None:
    server.on("GET", JOB, problem(429, "rate_limited", "Come back tomorrow.", Retry_After="86400"))
    with pytest.raises(ParleyUnavailable) as caught:
        client.job("job-1")
    assert caught.value.retry_after == 86400
    assert pauses == []


def test_waits_double_and_tries_are_counted(server: ScriptedServer, pauses: list[float]) -> None:
    server.on("GET", JOB, problem(502, "bad_gateway", "Nobody there."))
    with (
        Parley(server.url, retry=RetryPolicy(tries=5, first_wait=1.0), pause=pauses.append) as client,
        pytest.raises(ParleyUnavailable),
    ):
        client.job("job-1")
    assert len(server.requests) == 5
    assert all(full / 2 <= wait <= full for full, wait in zip([1, 2, 4, 8], pauses, strict=True))


@pytest.mark.parametrize("lost", [HANG_UP, problem(504, "gateway_timeout", "Too slow.")])
def test_a_cancel_that_may_have_been_done_is_not_repeated(server: ScriptedServer, client: Parley, lost: object) -> None:
    server.on("POST", f"{JOB}/cancel", lost)
    with pytest.raises((ParleyConnectionError, ParleyUnavailable)):
        client.cancel("job-1")
    assert len(server.requests) == 1


def test_a_cancel_that_was_not_done_is_repeated(server: ScriptedServer, client: Parley) -> None:
    server.on("POST", f"{JOB}/cancel", BUSY, Reply(202, job_document(state="cancelled")))
    assert client.cancel("job-1").state == "cancelled"


def test_each_repeat_is_told(server: ScriptedServer) -> None:
    told: list[tuple[str, float]] = []
    server.on("GET", JOB, BUSY, Reply(document=job_document()))
    with Parley(
        server.url, pause=lambda seconds: None, on_retry=lambda error, wait: told.append((str(error), wait))
    ) as client:
        client.job("job-1")
    assert told == [("Redis does not answer. (503 job_store_unavailable)", 2.0)]
