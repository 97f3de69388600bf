"""Listing and resending deliveries, and receiving them on the machine of a developer."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from parley import Parley
from parley.cli.exit_codes import Exit
from tests.support.waiting import HANG_SECONDS
from tests.unit.client.command import parley
from tests.unit.client.scripted import JOB_ID, Reply, ScriptedServer, problem

DELIVERY = {
    "id": "msg_1_0",
    "job_id": JOB_ID,
    "url": "https://records.example/parley",
    "state": "failed",
    "attempts": 10,
    "outcome": "503",
    "ended_at": "2026-01-02T03:04:05Z",
    "last_attempt_at": "2026-01-05T03:04:05Z",
    "next_attempt_at": None,
}
PENDING = DELIVERY | {"state": "pending", "attempts": 0, "next_attempt_at": "2026-01-05T03:04:05Z"}
BODY = json.dumps({"type": "job.succeeded", "timestamp": "2026-01-02T03:04:05Z", "data": {"id": JOB_ID}})


@pytest.fixture
def delivering(server: ScriptedServer) -> ScriptedServer:
    """A server with one delivery."""
    server.on("GET", "/v1/deliveries", Reply(document={"deliveries": [DELIVERY]}))
    server.on("POST", "/v1/deliveries/msg_1_0/resend", Reply(202, PENDING))
    return server


def test_the_client_lists_and_resends(delivering: ScriptedServer, client: Parley) -> None:
    [delivery] = client.deliveries(state="failed", job_id=JOB_ID, limit=3)
    assert (delivery.id, delivery.state, delivery.outcome, delivery.next_attempt_at) == (
        "msg_1_0",
        "failed",
        "503",
        None,
    )
    assert delivering.requests[0].query == {"state": "failed", "job_id": JOB_ID, "limit": "3"}
    again = client.resend(delivery.id)
    assert again.state == "pending"
    assert again.next_attempt_at is not None


def test_deliveries_are_listed(delivering: ScriptedServer) -> None:
    shown = parley("webhooks", "--state", "failed")
    assert shown.exit_code == Exit.OK
    assert "msg_1_0" in shown.stdout
    assert "503" in shown.stdout
    assert json.loads(parley("webhooks", "--json").stdout) == [DELIVERY]


def test_no_delivery_is_said_and_not_printed(server: ScriptedServer) -> None:
    server.on("GET", "/v1/deliveries", Reply(document={"deliveries": []}))
    shown = parley("webhooks")
    assert (shown.stdout, shown.stderr) == ("", "No deliveries.\n")


def test_a_delivery_is_sent_again(delivering: ScriptedServer) -> None:
    delivering.on("POST", "/v1/deliveries/msg_2_0/resend", problem(404, "delivery_not_found", "There is none."))
    done = parley("webhooks", "resend", "msg_1_0", "msg_2_0", "--json")
    assert done.exit_code == Exit.REFUSED
    first, second = json.loads(done.stdout)
    assert first == PENDING
    assert second["error"]["code"] == "delivery_not_found"


def test_a_secret_is_new_and_good_for_the_library() -> None:
    first, second = (parley("webhooks", "secret").stdout.strip() for _ in range(2))
    assert first != second
    assert Webhook(first).sign("msg_1_0", datetime.now(UTC), BODY).startswith("v1,")


def test_a_submit_names_where_its_end_is_delivered_and_how_long_its_recording_stays(
    server: ScriptedServer, recording: Any
) -> None:
    server.on("POST", "/v1/jobs", problem(422, "invalid_option", "No."))
    parley("submit", recording, "--no-wait", "--callback-url", "https://records.example/parley", "--retain-audio", "2m")
    query = server.requests[0].query
    assert (query["callback_url"], query["retain_audio_seconds"]) == ("https://records.example/parley", "120")


def test_listening_prints_what_verifies_and_refuses_the_rest() -> None:
    secret = parley("webhooks", "secret").stdout.strip()
    command = [sys.executable, "-m", "parley", "webhooks", "listen", "--port", "0", "--secret", secret]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as listening:
        try:
            assert listening.stderr is not None
            assert listening.stdout is not None
            found = re.search(r"http://\S+", listening.stderr.readline())
            assert found
            now = datetime.now(UTC)
            headers = {
                "webhook-id": "msg_1_0",
                "webhook-timestamp": str(int(now.timestamp())),
                "webhook-signature": Webhook(secret).sign("msg_1_0", now, BODY),
            }
            forged = httpx.post(found[0], content=BODY.replace("succeeded", "failed"), headers=headers)
            assert forged.status_code == 401
            assert httpx.post(found[0], content=BODY, headers=headers, timeout=HANG_SECONDS).status_code == 204
            assert listening.stdout.readline() == f"job.succeeded  {JOB_ID}  msg_1_0\n"
        finally:
            listening.terminate()
