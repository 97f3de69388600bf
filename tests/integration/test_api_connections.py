"""Callers that hold connections without asking for anything are let go, and others are served."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from parley_core.settings import Settings
from tests.support.api_process import ApiProcess, free_port
from tests.support.containers import flac
from tests.support.valkey import Valkey
from tests.support.waiting import HANG_SECONDS, until

MOST, HEAD_SECONDS = 20, 2.0


@pytest.fixture(scope="module")
def strict_api(valkey_server: Valkey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProcess]:
    folder: Path = tmp_path_factory.mktemp("strict")
    settings = Settings(redis_url=valkey_server.url, objects_url=f"file://{folder}/objects")
    ports = {"PARLEY_METRICS_PORT": str(free_port())}
    limits = {"PARLEY_MAX_CONNECTIONS": str(MOST), "PARLEY_REQUEST_HEAD_SECONDS": str(HEAD_SECONDS)}
    with ApiProcess(settings, folder / "api.log", **limits, **ports) as api:
        yield api


def test_metrics_are_alone_on_their_port(strict_api: ApiProcess) -> None:
    assert httpx.get(f"{strict_api.url}/metrics").status_code == 404
    assert "parley_http_requests_total" in httpx.get(f"{metrics_url(strict_api)}/metrics").text
    for path in ("/", "/livez", "/v1/jobs", "/openapi.json"):
        assert httpx.get(metrics_url(strict_api) + path).status_code == 404


def connected(api: ApiProcess, first: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", api.port), timeout=HANG_SECONDS)
    connection.sendall(first)
    return connection


def metrics_url(api: ApiProcess) -> str:
    return f"http://127.0.0.1:{api.environment['PARLEY_METRICS_PORT']}"


def refused(api: ApiProcess, reason: str) -> float:
    metrics = httpx.get(
        f"{metrics_url(api)}/metrics", timeout=HANG_SECONDS
    ).text  # no connection that a flood may close
    found = re.search(rf'parley_http_refused_total{{reason="{reason}"}} (\S+)', metrics)
    return float(found[1]) if found else 0.0


def answer(connection: socket.socket) -> bytes:
    """Return everything up to the end of the connection."""
    received = b""
    try:
        while part := connection.recv(65536):
            received += part
    except ConnectionResetError:
        pass
    return received


def trickle(connection: socket.socket) -> None:
    """Send a header without an end until the connection is closed."""
    with connection:
        try:
            while True:
                connection.sendall(b"x")
                time.sleep(0.1)
        except OSError:
            return


def test_a_silent_connection_and_a_head_without_end_are_closed_and_counted(strict_api: ApiProcess) -> None:
    before = refused(strict_api, "late_head")
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(trickle, connected(strict_api, b"GET /livez HTTP/1.1\r\nX-Endless: "))
        with connected(strict_api) as silent:
            assert answer(silent) == b""
        slow.result(HANG_SECONDS)
    assert refused(strict_api, "late_head") == before + 2


def test_a_second_request_on_a_connection_has_a_deadline_too(strict_api: ApiProcess) -> None:
    request = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with connected(strict_api) as connection:
        for _ in range(2):
            connection.sendall(request)
            received = b""
            while not received.endswith(b'{"status":"ok"}'):
                received += connection.recv(65536)
        trickle(connection)


def test_a_full_process_serves_new_callers_and_those_who_wait_for_a_job(strict_api: ApiProcess) -> None:
    job = strict_api.http.post("/v1/jobs", content=flac(), headers={"Content-Type": "audio/flac"}).json()
    wait = f"GET /v1/jobs/{job['id']}?wait=4 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    with ExitStack() as stack:
        waiting = stack.enter_context(connected(strict_api, wait))
        until(lambda: strict_api.connections() >= 1)
        for _ in range(3 * MOST):
            stack.enter_context(connected(strict_api))
        assert httpx.get(f"{strict_api.url}/livez", timeout=HANG_SECONDS).is_success
        until(lambda: strict_api.connections() <= MOST + 1)
        assert answer(waiting).startswith(b"HTTP/1.1 200")
    assert refused(strict_api, "too_many") >= 2 * MOST


def test_calls_that_wait_take_half_of_all_connections_at_most(strict_api: ApiProcess) -> None:
    job = strict_api.http.post("/v1/jobs", content=flac(), headers={"Content-Type": "audio/flac"}).json()["id"]
    paths = [f"/v1/jobs/{job}?wait=30", f"/v1/jobs/{job}/events"] * (MOST // 4)
    before = refused(strict_api, "too_many_waits")
    with ExitStack() as stack:
        waiting = [stack.enter_context(connected(strict_api, get(path))) for path in paths]
        assert waiting[-1].recv(12) == b"HTTP/1.1 200"

        def is_full() -> bool:
            if httpx.get(f"{strict_api.url}/v1/jobs/{job}?wait=1", timeout=HANG_SECONDS).status_code == 429:
                return True
            stack.enter_context(connected(strict_api, get(paths[0])))  # that look may have taken the place of a call
            return False

        until(is_full)
        for path in (f"/v1/jobs/{job}?wait=1", f"/v1/jobs/{job}/events"):
            refusal = httpx.get(strict_api.url + path)
            assert (refusal.status_code, refusal.json()["code"]) == (429, "too_many_waits")
            assert refusal.headers["retry-after"] == "5"
        assert refused(strict_api, "too_many_waits") >= before + 3
        assert httpx.get(f"{strict_api.url}/v1/jobs/{job}").is_success
        waiting[-1].close()  # an event stream: its caller is gone, and its slot is free
        until(lambda: httpx.get(f"{strict_api.url}/v1/jobs/{job}?wait=0.1", timeout=HANG_SECONDS).is_success)


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()


def test_two_statements_of_the_length_are_refused_and_the_connection_ends(strict_api: ApiProcess) -> None:
    smuggled = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    request = (
        b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: audio/flac\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled
    )
    with connected(strict_api, request) as connection:
        received = answer(connection)
    assert received.startswith(b"HTTP/1.1 400")
    assert b'"ambiguous_length"' in received
    assert received.count(b"HTTP/1.1") == 1


def test_malformed_requests_are_counted_and_not_logged(strict_api: ApiProcess) -> None:
    before, lines = refused(strict_api, "malformed"), len(strict_api.log.read_text().splitlines())
    for _ in range(5):
        with connected(strict_api, b"\x16\x03\x01 no HTTP\r\n\r\n") as connection:
            assert answer(connection).startswith(b"HTTP/1.1 400")
    assert refused(strict_api, "malformed") == before + 5
    assert strict_api.log.read_text().splitlines()[lines:] == []
