"""`parley usage`, and the client's method behind it."""

from __future__ import annotations

import json
from datetime import date

import pytest

from parley import AsyncParley, Parley
from parley.cli.exit_codes import Exit
from tests.unit.client.command import parley
from tests.unit.client.scripted import Reply, ScriptedServer

NUMBERS = {
    "succeeded": 2,
    "failed": 1,
    "cancelled": 0,
    "attempts": 4,
    "audio_seconds": 5400.0,
    "engine_seconds": 90.0,
    "engine_cpu_seconds": 170.5,
    "wait_seconds": 3.0,
}
USAGE = {
    "first": "2025-11-01",
    "last": "2025-11-30",
    "total": NUMBERS,
    "days": [{"day": "2025-11-25", "queue": "batch", **NUMBERS}],
}


@pytest.fixture
def used(server: ScriptedServer) -> ScriptedServer:
    server.on("GET", "/v1/usage", Reply(document=USAGE))
    return server


def test_focus_is_printed_as_the_server_sends_it(server: ScriptedServer, client: Parley) -> None:
    server.on("GET", "/v1/usage", Reply(text="BilledCost\r\n0\r\n"))
    result = parley("usage", "--first", "2025-11-01", "--format", "focus")
    assert (result.exit_code, result.stdout_bytes) == (Exit.OK, b"BilledCost\r\n0\r\n")
    assert server.requests[-1].query == {"first": "2025-11-01", "format": "csv"}
    assert client.focus_usage() == "BilledCost\r\n0\r\n"
    assert parley("usage", "--format", "excel").exit_code == Exit.USAGE
    assert parley("usage", "--format", "focus", "--json").exit_code == Exit.USAGE


def test_the_client_gets_days_and_their_sum(used: ScriptedServer, client: Parley) -> None:
    found = client.usage(date(2025, 11, 1), date(2025, 11, 30))
    assert used.requests[0].query == {"first": "2025-11-01", "last": "2025-11-30"}
    assert (found.first, found.last, found.total.day) == (date(2025, 11, 1), date(2025, 11, 30), None)
    assert (found.days[0].day, found.days[0].queue, found.days[0].audio_seconds) == (date(2025, 11, 25), "batch", 5400)


@pytest.mark.anyio
async def test_the_async_client_leaves_the_period_to_the_server(used: ScriptedServer) -> None:
    async with AsyncParley(used.url) as client:
        assert (await client.usage()).total.attempts == 4
    assert used.requests[0].query == {}


def test_usage_as_a_table_and_as_json(used: ScriptedServer) -> None:
    lines = [line.split() for line in parley("usage").stdout.splitlines()]
    assert lines[1] == ["2025-11-25", "batch", "2", "1", "0", "1.50", "0.03"]
    assert lines[2] == ["total", "2", "1", "0", "1.50", "0.03"]
    assert json.loads(parley("usage", "--json").stdout) == USAGE


def test_a_period_without_an_end_is_said_and_a_wrong_day_is_refused(server: ScriptedServer) -> None:
    server.on("GET", "/v1/usage", Reply(document=USAGE | {"days": []}))
    assert "No job ended from 2025-11-01 to 2025-11-30." in parley("usage").stderr
    assert parley("usage", "--first", "yesterday").exit_code == Exit.USAGE
