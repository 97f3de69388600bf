"""Faults of links: the API is killed while it fetches a recording."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import httpx

from chaos.checker import every_job
from chaos.client import TEMPORARY, recording_of
from chaos.engines import RATE
from chaos.ledger import Entry
from chaos.parts import until
from chaos.schedule import Fault
from chaos.system import Layout
from chaos.testbed import Testbed
from parley_core.recording import job_id_of
from tests.support.hosts import Host, answer

PORT = 17_099  # of the host of the recordings, which the settings of the API name
WAIT_SECONDS = 30.0  # twice as long as the key of an upload is held whose API has died
KILLS = 4


def kill_fetching(testbed: Testbed) -> None:
    """Kill an API that has half of a recording; then send the same request again, and let it have the whole."""
    recording = recording_of(testbed.system.layout.recording_seconds, RATE // 2)
    whole = answer(recording)
    with Host(whole, port=PORT) as host:

        def half(connection: socket.socket) -> None:
            connection.sendall(whole[: len(whole) // 2])
            connection.recv(1)  # until the other side is gone

        for _ in range(KILLS):
            key = f"link-{testbed.rng.random()}"
            host.answer = half
            _kill_api(testbed, host, key)
            host.answer = whole
            testbed.load.ledger.write(Entry(key, _repeat(testbed, host.origin, key), time.time()))


def _kill_api(testbed: Testbed, host: Host, key: str) -> None:
    """Submit a link, and kill the API when the host has sent half of the recording."""
    apis = testbed.system.kind("api")
    index, asked = testbed.rng.randrange(len(apis)), len(host.heads)
    url = testbed.system.urls[index]
    assert until(lambda: _answers(url), WAIT_SECONDS), "an API that was killed is not back"
    host.left.clear()
    call = (testbed, url, host.origin, key)
    threading.Thread(target=_submit, args=call, daemon=True).start()
    assert until(lambda: len(host.heads) > asked, WAIT_SECONDS), "no fetch has begun"
    testbed.pause(0.1, 0.5)
    apis[index].kill()
    testbed.note()
    assert host.left.wait(WAIT_SECONDS), "the process that fetches has outlived the API"


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/livez").is_success
    except httpx.TransportError:
        return False


def _submit(testbed: Testbed, url: str, origin: str, key: str) -> httpx.Response | None:
    document = {"url": origin, "reference": key, "callback_url": testbed.system.receiver.url}
    headers = {"Idempotency-Key": key}
    try:
        return httpx.post(f"{url}/v1/jobs", json=document, headers=headers, timeout=60)
    except httpx.TransportError:
        return None


def _repeat(testbed: Testbed, origin: str, key: str) -> str:
    """Send the request until it is accepted; return the id of its job."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        response = _submit(testbed, testbed.rng.choice(testbed.system.urls), origin, key)
        if response is not None and response.status_code == 202:
            return str(response.json()["id"])
        assert response is None or response.status_code in TEMPORARY, response.text
        time.sleep(0.5)
    raise TimeoutError("a link was not accepted after its API had died")


def every_recording_has_its_job(testbed: Testbed) -> Iterator[str]:
    """Check that no fetch that was broken off has left a recording.

    A recording of the load, whose API was killed before it had a manifest, waits for the collection of orphans.
    """
    known = {job.recording.key for job in every_job(testbed.system)}
    of_load = len(recording_of(testbed.system.layout.recording_seconds))
    for entry in testbed.system.objects.entries("recordings"):
        if entry.key not in known and entry.bytes != of_load:
            yield f"a recording without a job: {job_id_of(entry.key)}"


FAULTS = (
    Fault(
        "API killed while it fetches",
        "SIGKILL of an API that has half of a recording behind a link, four times; each request is repeated",
        kill_fetching,
        Layout(
            everywhere={
                "PARLEY_TENANT_LINK_HOSTS": f"http://127.0.0.1:{PORT}",
                "PARLEY_LINK_NETWORKS": "127.0.0.1/32",
            }
        ),
        check=every_recording_has_its_job,
    ),
)
