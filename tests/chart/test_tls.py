"""TLS inside a release: scripts and commands of the chart on real servers; API, worker and keeper on them."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from kombu.exceptions import OperationalError

from parley import Parley, RetryPolicy
from parley.cli.checks import check_server
from parley_core.celery_queue import create_app
from parley_core.errors import JobStoreUnusable, ObjectStoreUnavailable
from parley_core.redis import require_usable_store
from parley_core.settings import Settings
from parley_core.storage import remote
from parley_core.storage.flusher import Flusher
from parley_core.storage.remote import RemoteStore
from tests.chart.redis_pods import FOLLOW_SECONDS, Service
from tests.chart.rendering import Manifest, render, tool
from tests.support.api_process import free_port
from tests.support.certificates import Authority
from tests.support.sounds import wav
from tests.support.waiting import HANG_SECONDS, until
from tests.support.worker import SCRIPTED_ENGINE

VALUES: Manifest = {
    "tls": {"enabled": True, "existingSecret": "given"},
    "redis": {"mode": "sentinel", "sentinel": {"downAfterMilliseconds": 1000}},
}

CONNECTIONS = 20  # of the API


@dataclass
class Release:
    """What runs: `ports` by what listens there, and the environment of a part of Parley."""

    service: Service
    certificate: Path
    ports: dict[str, tuple[str, int]]
    environment: dict[str, str]
    processes: dict[str, subprocess.Popen[bytes]]

    @property
    def authority(self) -> str:
        return str(self.certificate / "ca.crt")

    def settings(self, **more: Any) -> Settings:
        url = self.service.url("api").split("&ssl_")[0]
        return Settings(**{"redis_url": url, "objects_url": "s3://parley", "ca_file": self.authority, **more})


def tls_server() -> Path:
    """Return a server with TLS, which the embedded Valkey has not."""
    if sys.platform != "linux":
        pytest.skip("only Linux has the addresses 127.x.x.x")
    return Path(tool("valkey-server"))


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    folder, authority = tmp_path_factory.mktemp("tls"), Authority()
    service = Service(folder, VALUES, tls_server(), authority)
    certificate = authority.sign(folder / "tls")
    ports = {name: ("127.0.0.1", free_port()) for name in ("objects", "flush", "api", "metrics", "keeper", "worker")}
    ports |= {"redis": (service.hosts[0], service.port), "sentinel": (service.hosts[0], service.sentinel_port)}
    places = {
        "/data": str(folder / "data"),
        "/etc/parley": str(folder),
        ":7070": f"127.0.0.1:{ports['objects'][1]}",
        "7071": str(ports["flush"][1]),
        "$$": "$",  # as Kubernetes does
    }
    environment = os.environ | {
        "PARLEY_OBJECTS_URL": "s3://parley",
        "PARLEY_OBJECTS_FLUSH_URL": f"https://127.0.0.1:{ports['flush'][1]}",
        "AWS_ENDPOINT_URL": f"https://127.0.0.1:{ports['objects'][1]}",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "k" * 20,
        "AWS_SECRET_ACCESS_KEY": "k" * 20,
        "PARLEY_CA_FILE": str(certificate / "ca.crt"),
        "PARLEY_TLS_CERTIFICATE_FILE": str(certificate / "tls.crt"),
        "PARLEY_TLS_KEY_FILE": str(certificate / "tls.key"),
        "PARLEY_METRICS_PORT": str(ports["metrics"][1]),
        "PARLEY_KEEPER_PORT": str(ports["keeper"][1]),
        "PARLEY_WORKER_METRICS_PORT": str(ports["worker"][1]),
        "PARLEY_PORT": str(ports["api"][1]),
        "PARLEY_ENGINE": SCRIPTED_ENGINE,
        "PARLEY_SCRIPTED_SECONDS": "2",
        "PARLEY_LEASE_SECONDS": "6",
        "PARLEY_LEASE_RENEWAL_SECONDS": "0.5",
        "PARLEY_REDIS_TIMEOUT_SECONDS": "2",
        "PARLEY_MAX_CONNECTIONS": str(CONNECTIONS),
        "PARLEY_REQUEST_HEAD_SECONDS": "3",
        "FOLLOW_SECONDS": FOLLOW_SECONDS,
    }
    (folder / "root").mkdir()
    for name in ("access-key", "secret-key"):
        (folder / "root" / name).write_text("k" * 20)
    processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(name: str, command: list[str], **variables: str) -> None:
        for place, moved in places.items():
            command = [word.replace(place, moved) for word in command]
        with (folder / f"{name}.log").open("wb") as log:
            command = [sys.executable if word == "python" else word for word in command]
            processes[name] = subprocess.Popen(command, env=environment | variables, stdout=log, stderr=log)

    values = VALUES | {"objects": {"embedded": {"roles": False}}}
    pod = render(values).pods()["release-parley-objects"]
    environment["PATH"] = f"{Path(tool('versitygw')).parent}:{os.environ['PATH']}"
    bucket = [word.replace("/data", str(folder / "data")) for word in pod["initContainers"][0]["command"]]
    subprocess.run(bucket, check=True)
    try:
        for container in pod["containers"]:
            start({"versitygw": "objects"}.get(container["name"], "flush"), container["command"])
        service.start()
        for name in ("api", "keeper", "worker"):
            start(name, ["python", "-m", f"parley_{name}"], PARLEY_REDIS_URL=service.url(name))
        running = Release(service, certificate, ports, environment, processes)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                if name.startswith("AWS_"):
                    patch.setenv(name, value)
            until(lambda: all(listens(address) for address in ports.values()), what=f"see the logs in {folder}")
            yield running
    finally:
        for process in processes.values():
            process.kill()
            process.wait(HANG_SECONDS)
        for redis_pod in service.pods.values():
            redis_pod.kill()


@pytest.fixture
def http(release: Release) -> Iterator[httpx.Client]:
    url = f"https://127.0.0.1:{release.ports['api'][1]}"
    with httpx.Client(base_url=url, verify=http_context(release)) as client:
        until(lambda: client.get("/readyz").is_success)
        yield client


def http_context(release: Release) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=release.authority)


def listens(address: tuple[str, int]) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(address) == 0


def other_name(host: str) -> str:
    """Return the same address in another spelling: no certificate names it."""
    return "0x" + "".join(f"{int(part):02x}" for part in host.split("."))


def submit(http: httpx.Client) -> str:
    return str(http.post("/v1/jobs", files={"audio": wav(seconds=1.0)}, timeout=HANG_SECONDS).json()["id"])


def job(http: httpx.Client, job_id: str) -> dict[str, Any]:
    found: dict[str, Any] = http.get(f"/v1/jobs/{job_id}").json()
    return found


def served(address: tuple[str, int]) -> str:
    """Return the certificate of a port, or an empty text."""
    with suppress(OSError):
        return ssl.get_server_certificate(address, timeout=5)
    return ""


def test_a_job_runs_where_nothing_speaks_plain_text(http: httpx.Client) -> None:
    job_id = submit(http)
    until(lambda: job(http, job_id)["state"] == "succeeded")


def test_silent_handshakes_fill_no_process_and_end(release: Release, http: httpx.Client) -> None:
    with ExitStack() as stack:
        silent = [
            stack.enter_context(socket.create_connection(release.ports["api"], timeout=HANG_SECONDS))
            for _ in range(2 * CONNECTIONS)
        ]
        # On a connection of its own: the idle one of the client is the first to be closed.
        assert httpx.get(f"{http.base_url}/livez", verify=http_context(release)).is_success
        for connection in silent:
            with suppress(ConnectionResetError):
                assert connection.recv(1) == b""
    metrics = httpx.get(f"https://127.0.0.1:{release.ports['metrics'][1]}/metrics", verify=http_context(release)).text
    for reason in ("too_many", "handshake"):
        (line,) = [line for line in metrics.splitlines() if f'parley_http_refused_total{{reason="{reason}"}}' in line]
        assert float(line.split()[-1]) > 0


@pytest.mark.parametrize("name", ["redis", "sentinel", "objects", "flush", "api", "metrics", "keeper", "worker"])
def test_no_port_speaks_plain_text(release: Release, name: str) -> None:
    request = b"PING\r\n" if name in ("redis", "sentinel") else b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(release.ports[name], timeout=HANG_SECONDS) as connection:
        connection.sendall(request)
        answer = b""
        with suppress(ConnectionResetError):
            answer = connection.recv(4096)
    assert b"PONG" not in answer
    assert not answer.startswith((b"HTTP/1.1 2", b"HTTP/1.1 404", b"HTTP/1.0 2", b"HTTP/1.0 404"))


def test_another_authority_or_host_is_refused_with_what_to_do(
    release: Release, http: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "WAIT_SECONDS", 0.1)
    wrong = Authority("Wrong").sign(tmp_path) / "ca.crt"
    service = release.service
    single = f"rediss://api:{service.secret['api-password']}@{{}}:{service.port}/0"
    for address, authority, said in (
        (single.format(service.hosts[0]), wrong, "PARLEY_CA_FILE"),
        (single.format(other_name(service.hosts[0])), release.authority, "host of PARLEY_REDIS_URL"),
        (service.url("api"), wrong, "PARLEY_CA_FILE"),
    ):
        settings = release.settings(redis_url=address, ca_file=authority)
        with pytest.raises(JobStoreUnusable, match=said):
            require_usable_store(settings)
        app = create_app(settings)
        if "sentinel" in address:
            assert app.conf.broker_use_ssl["ssl_cert_reqs"] == "required"
            continue
        with app.connection() as broker, pytest.raises(OperationalError):
            broker.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
    with pytest.raises(ObjectStoreUnavailable, match="PARLEY_CA_FILE"):
        RemoteStore("s3://parley", authorities=wrong).create("checks/tls", b"x")
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        Flusher(release.environment["PARLEY_OBJECTS_FLUSH_URL"], wrong).flush(5)
    monkeypatch.setenv("SSL_CERT_FILE", str(wrong))
    with Parley(str(http.base_url), retry=RetryPolicy(connect_seconds=0)) as client:
        findings = list(check_server(client))
    assert "SSL_CERT_FILE" in findings[0].detail
    monkeypatch.setenv("SSL_CERT_FILE", release.authority)
    with Parley(str(http.base_url)) as client:
        assert {finding.subject for finding in check_server(client) if finding.ok} >= {"server", "certificate", "ready"}


def test_new_certificates_are_served_while_a_job_runs_and_redis_starts_again(
    release: Release, http: httpx.Client
) -> None:
    before = {name: served(address) for name, address in release.ports.items()}
    assert all(before.values())
    job_id = submit(http)
    until(lambda: job(http, job_id)["state"] == "running")
    assert release.service.authority is not None
    release.service.authority.sign(release.certificate)
    pods = release.service.pods
    old = {host: served((host, release.service.port)) for host in pods}
    for pod in pods.values():
        pod.renew()

    def all_are_new() -> bool:
        for pod in pods.values():
            pod.start_again()
            if served((pod.host, release.service.port)) in ("", old[pod.host]):
                return False
        now = {name: served(address) for name, address in release.ports.items()}
        return all(now.values()) and not any(now[name] == before[name] for name in now)

    until(all_are_new)
    until(lambda: http.get("/readyz").is_success)
    until(lambda: job(http, job_id)["state"] == "succeeded")
    assert all(release.processes[name].poll() is None for name in ("api", "keeper", "worker", "objects", "flush"))
    assert job(http, submit(http))["state"] in ("queued", "running", "succeeded")
