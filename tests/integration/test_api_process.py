"""The API as a process, on a real Valkey and a real folder."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from parley_api.runtime.blocking_calls import GRACE_SECONDS
from parley_api.runtime.job_notifications import POLL_SECONDS
from parley_api.runtime.readiness import CHECK_SECONDS
from parley_api.use_cases.submit import RENEWAL_SECONDS, RESERVED_SECONDS
from parley_core.celery_queue import CeleryJobQueue
from parley_core.durable_job_store import DurableJobStore
from parley_core.job import DEFAULT_TENANT, JobState
from parley_core.recording import recording_key
from parley_core.redis import RedisJobStore
from parley_core.redis.transitions import idempotency_redis_key
from parley_core.settings import Settings
from parley_core.storage.objects import object_store
from tests.support.api_process import ApiProcess
from tests.support.containers import flac
from tests.support.valkey import Valkey
from tests.support.waiting import HANG_SECONDS, seconds_of, until

RAW = {"Content-Type": "audio/flac"}
LOOKED_ONCE = 0.3  # seconds after which a request that waits has looked at its job for the first time
CLIP = flac()


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[Valkey]:
    server = Valkey(tmp_path / "valkey")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def own_settings(own_valkey: Valkey, tmp_path: Path) -> Settings:
    """Of a Valkey that the test may kill."""
    return Settings(redis_url=own_valkey.url, objects_url=f"file://{tmp_path}/objects", redis_timeout_seconds=1)


def stored(settings: Settings, prefix: str = "recordings") -> list[str]:
    folder = Path(settings.objects_url.removeprefix("file://")) / prefix
    return [path.name for path in folder.rglob("*") if path.is_file()]


def test_a_submit_is_recorded_published_and_stored(api: ApiProcess, api_settings: Settings) -> None:
    job = api.http.post("/v1/jobs", content=CLIP, headers=RAW).raise_for_status().json()
    assert (job["state"], job["position"]) == ("queued", 0)
    assert job["recording"]["media_type"] == "audio/flac"
    assert job["recording"]["seconds"] == pytest.approx(1.0)
    assert RedisJobStore.from_settings(api_settings).get(job["id"]).state is JobState.QUEUED
    assert sum(CeleryJobQueue.from_settings(api_settings).waiting().values()) == 1
    assert object_store(api_settings).read(recording_key(job["id"])) == CLIP


def test_fifty_submits_at_once_are_fifty_jobs(api: ApiProcess, api_settings: Settings) -> None:
    def one(number: int) -> str:
        answer = httpx.post(f"{api.url}/v1/jobs", content=flac(0.2, number), headers=RAW, timeout=HANG_SECONDS)
        return str(answer.raise_for_status().json()["id"])

    with ThreadPoolExecutor(50) as pool:
        ids = set(pool.map(one, range(50)))
    assert len(ids) == 50 == len(stored(api_settings))
    listed = {job["id"] for job in api.http.get("/v1/jobs", params={"limit": 100}).json()["jobs"]}
    assert listed == ids


def test_a_waiting_request_is_woken_by_the_move_itself(api: ApiProcess, api_settings: Settings) -> None:
    store = RedisJobStore.from_settings(api_settings)
    delays = []
    for _ in range(5):
        job = api.http.post("/v1/jobs", content=CLIP, headers=RAW).json()
        moved: list[float] = []

        def move(job_id: str = job["id"], moved: list[float] = moved) -> None:
            time.sleep(LOOKED_ONCE)
            moved.append(time.monotonic())
            store.start_attempt(job_id, "worker/1", 30)

        thread = threading.Thread(target=move)
        thread.start()
        seen = api.http.get(f"/v1/jobs/{job['id']}", params={"wait": 30}).json()
        delays.append(time.monotonic() - moved[0])
        thread.join()
        assert seen["state"] == "running"
    assert min(delays) < POLL_SECONDS - 2 * LOOKED_ONCE  # who looks again and again sees it later than that


def test_a_hundred_who_wait_block_nobody(api: ApiProcess) -> None:
    job = api.http.post("/v1/jobs", content=CLIP, headers=RAW).json()
    limits = httpx.Limits(max_connections=100)
    with httpx.Client(base_url=api.url, timeout=HANG_SECONDS, limits=limits) as many, ThreadPoolExecutor(100) as pool:
        waiting = [pool.submit(many.get, f"/v1/jobs/{job['id']}", params={"wait": 60}) for _ in range(100)]
        until(lambda: api.connections() >= len(waiting))
        assert api.http.post("/v1/jobs", content=CLIP, headers=RAW).status_code == 202
        assert not any(request.done() for request in waiting)
        api.http.post(f"/v1/jobs/{job['id']}/cancel").raise_for_status()
        states = [request.result().json()["state"] for request in waiting]
    assert set(states) == {"cancelled"}


def test_events_arrive_while_they_happen(api: ApiProcess, api_settings: Settings) -> None:
    store = RedisJobStore.from_settings(api_settings)
    job = api.http.post("/v1/jobs", content=CLIP, headers=RAW).json()
    states = []
    with api.http.stream("GET", f"/v1/jobs/{job['id']}/events") as response:
        for line in response.iter_lines():
            if line.startswith("data: "):
                states.append(json.loads(line.removeprefix("data: "))["state"])
                if states[-1] == "queued":
                    store.cancel(job["id"])
    assert states == ["accepted", "queued", "cancelled"]


def test_too_large_is_answered_while_the_caller_still_sends(own_settings: Settings, tmp_path: Path) -> None:
    with ApiProcess(own_settings, tmp_path / "log", PARLEY_MAX_RECORDING_BYTES="100000") as api:
        with socket.create_connection(("127.0.0.1", api.port), timeout=HANG_SECONDS) as caller:
            head = "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: audio/flac\r\nTransfer-Encoding: chunked"
            caller.sendall(f"{head}\r\n\r\n".encode())
            for chunk in (CLIP[:4096], *[bytes(32_000)] * 4):
                caller.sendall(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            answer = b""  # the body has not ended and never will
            while b"recording_too_large" not in answer and (received := caller.recv(65536)):
                answer += received
        assert answer.startswith(b"HTTP/1.1 413")
        assert b"recording_too_large" in answer
        assert stored(own_settings) == []


@pytest.mark.parametrize("kind", ["raw", "form"])
def test_a_caller_that_breaks_off_leaves_nothing(api: ApiProcess, settings: Settings, kind: str) -> None:
    content_type = {"raw": "audio/flac", "form": "multipart/form-data; boundary=b"}[kind]
    part = b'--b\r\nContent-Disposition: form-data; name="audio"; filename="a"\r\n\r\n' if kind == "form" else b""
    with socket.create_connection(("127.0.0.1", api.port), timeout=HANG_SECONDS) as caller:
        head = f"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: broken-off-{kind}\r\n"
        head += f"Content-Type: {content_type}\r\nContent-Length: 30000000\r\n"
        caller.sendall(f"{head}\r\n".encode() + part + CLIP + bytes(12_000_000))
        time.sleep(0.5)
    until(lambda: f'"request_id": "broken-off-{kind}"' in api.log.read_text())
    assert '"status": 499' in api.log.read_text().splitlines()[-1]
    assert stored(settings) == []
    assert api.http.get("/v1/jobs").json()["jobs"] == []


def test_with_redis_killed_submits_are_accepted_and_keys_hold(
    own_valkey: Valkey, own_settings: Settings, tmp_path: Path
) -> None:
    keyed = {**RAW, "Idempotency-Key": "k"}
    with ApiProcess(own_settings, tmp_path / "log") as api:
        before = api.http.post("/v1/jobs", content=CLIP, headers=keyed).json()
        assert api.http.get("/readyz").status_code == 200  # seen whole, as by every probe
        own_valkey.kill()
        unready = api.http.get("/readyz")
        assert (unready.status_code, list(unready.json()["missing"])) == (503, ["redis"])
        assert api.http.get("/readyz?degraded=true").status_code == 200  # Kubernetes must not take it away now
        unrecorded = api.http.post("/v1/jobs", content=flac(0.5), headers=RAW).raise_for_status().json()
        assert unrecorded["state"] == "accepted"
        assert api.http.get(f"/v1/jobs/{unrecorded['id']}").json()["state"] == "accepted"
        assert api.http.post("/v1/jobs", content=CLIP, headers=keyed).json()["id"] == before["id"]
        own_valkey.start()
        until(lambda: api.http.get("/readyz").status_code == 200)
        assert api.http.post("/v1/jobs", content=CLIP, headers=keyed).json()["id"] == before["id"]
        store = DurableJobStore.from_settings(own_settings)
        for job_id in store.manifests.unrecorded():
            store.record(job_id)  # what the keeper does
        assert len(api.http.get("/v1/jobs").json()["jobs"]) == 2
        threading.Timer(0.3, store.cancel, [unrecorded["id"]]).start()
        began = time.monotonic()
        assert api.http.get(f"/v1/jobs/{unrecorded['id']}?wait=60").json()["state"] == "cancelled"
        assert time.monotonic() - began < 30  # it was woken: without, it is answered after 60


def test_the_key_of_an_upload_whose_api_was_killed_is_free_within_15_s(
    own_valkey: Valkey, own_settings: Settings, tmp_path: Path
) -> None:
    keyed = {**RAW, "Idempotency-Key": "k"}
    redis, held = own_valkey.client(), idempotency_redis_key(DEFAULT_TENANT, "k")

    between = 1000 * (RESERVED_SECONDS - RENEWAL_SECONDS / 2)

    def milliseconds_left() -> int:
        return int(redis.pttl(held))

    with ApiProcess(own_settings, tmp_path / "doomed") as doomed, ApiProcess(own_settings, tmp_path / "log") as api:

        def endlessly() -> Iterator[bytes]:
            yield CLIP
            while True:
                time.sleep(0.1)
                yield bytes(1000)

        with ThreadPoolExecutor(1) as pool:
            upload = pool.submit(
                httpx.post, f"{doomed.url}/v1/jobs", content=endlessly(), headers=keyed, timeout=HANG_SECONDS
            )
            until(lambda: 0 < milliseconds_left() < between)
            until(lambda: milliseconds_left() > between)  # by the upload, which goes on
            assert api.http.post("/v1/jobs", content=CLIP, headers=keyed).status_code == 409
            doomed.running.kill()
            with pytest.raises(httpx.TransportError):
                upload.result()
        assert 0 < milliseconds_left() <= 15_000  # nobody renews it, and Redis counts the seconds
        redis.pexpire(held, 1)
        until(lambda: milliseconds_left() < 0)
        assert api.http.post("/v1/jobs", content=CLIP, headers=keyed).status_code == 202
        assert len(api.http.get("/v1/jobs").json()["jobs"]) == 1


def test_with_redis_frozen_everything_has_a_deadline(
    own_valkey: Valkey, own_settings: Settings, tmp_path: Path
) -> None:
    timeout = own_settings.redis_timeout_seconds
    call = timeout + GRACE_SECONDS
    with ApiProcess(own_settings, tmp_path / "log") as api:
        start = api.start_seconds  # what this machine may need on top of the waits
        own_valkey.pause()
        try:
            assert timed(lambda: api.http.get("/readyz"), 503) < CHECK_SECONDS + start
            assert min(timed(lambda: api.http.get("/livez"), 200) for _ in range(5)) < timeout
            assert timed(lambda: api.http.get("/v1/jobs"), 503) < call + start
            assert timed(lambda: api.http.get("/metrics"), 200) < 3 * call + start
            assert timed(lambda: api.http.post("/v1/jobs", content=CLIP, headers=RAW), 202) < 5 * call + start
        finally:
            own_valkey.resume()


def timed(call: Any, status: int) -> float:
    began = time.monotonic()
    response = call()
    assert response.status_code == status, response.text
    return time.monotonic() - began


def test_a_stop_lets_waiters_go_and_finishes_what_is_coming_in(own_settings: Settings, tmp_path: Path) -> None:
    with ApiProcess(own_settings, tmp_path / "log") as api:
        _stop_while_busy(api, own_settings)


def _stop_while_busy(api: ApiProcess, api_settings: Settings) -> None:
    job = api.http.post("/v1/jobs", content=CLIP, headers={**RAW, "Connection": "close"}).json()
    uploading, go_on = threading.Event(), threading.Event()

    def slowly() -> Iterator[bytes]:
        recording = flac(3)
        yield recording[:5000]
        uploading.set()
        assert go_on.wait(HANG_SECONDS)
        yield recording[5000:]

    with ThreadPoolExecutor(2) as pool:
        upload = pool.submit(httpx.post, f"{api.url}/v1/jobs", content=slowly(), headers=RAW, timeout=HANG_SECONDS)
        waiter = pool.submit(httpx.get, f"{api.url}/v1/jobs/{job['id']}?wait=60", timeout=HANG_SECONDS)
        assert uploading.wait(HANG_SECONDS)
        until(lambda: api.connections() >= 2)
        api.terminate()
        assert seconds_of(waiter.result) < 20  # of the 60 that it would wait, and while the upload goes on
        go_on.set()
        assert waiter.result().json()["state"] == "queued"
        assert upload.result().status_code == 202
    assert api.running.wait(HANG_SECONDS) == 128 + signal.SIGTERM
    assert len(stored(api_settings)) == 2


def test_it_refuses_other_machines_without_keys(tmp_path: Path) -> None:
    environment = {"PARLEY_HOST": "0.0.0.0", "PARLEY_OBJECTS_URL": f"file://{tmp_path}"}
    refused = subprocess.run(
        [sys.executable, "-m", "parley_api"],
        env={**os.environ, **environment},
        capture_output=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    assert refused.returncode == 2
    assert b"PARLEY_API_KEYS_FILE" in refused.stderr


def test_its_log_is_json_and_silent_about_patients(api: ApiProcess) -> None:
    form = {"audio": ("jane-roe.flac", CLIP, "audio/flac")}
    api.http.post("/v1/jobs", files=form, data={"reference": "Jane Roe"}).raise_for_status()
    api.http.get("/v1/jobs", params={"reference": "Jane Roe"}, headers={"X-Request-ID": "the-last"})
    until(lambda: "the-last" in api.log.read_text())
    lines = [json.loads(line) for line in api.log.read_text().splitlines()]
    assert [line["status"] for line in lines if line.get("event") == "request"][-2:] == [202, 200]
    actions = [line["action"] for line in lines if line.get("log") == "audit"]
    assert (actions[0], actions[-1]) == ("process.start", "job.submit")  # between them are those of other tests
    assert "jane" not in api.log.read_text().lower()
