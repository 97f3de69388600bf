"""Recordings that callers name instead of sending them: real hosts, and the real confined process that fetches."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from parley_api.http.errors import LinkNotAllowed
from parley_api.links import fetching
from parley_api.links.fetching import LinkFetcher
from parley_api.links.link import LinkPolicy
from parley_audio import DecodeLimits
from parley_audio.sandbox.confinement import missing
from parley_audio.sandbox.sandbox import Sandbox
from parley_core.errors import UnsafeSettings
from parley_core.settings import Settings
from parley_core.tenants import TenantQuota
from tests.support.api_fixture import AUDIO, ApiFixture, assert_problem
from tests.support.api_process import free_port
from tests.support.hostile import ATTEMPTS
from tests.support.hosts import Answer, Host, answer
from tests.support.s3 import S3Server, environment_of, missing_for_s3

pytestmark = pytest.mark.anyio

LOOPBACK = "127.0.0.1/32"
SECRET = "sig=Roe-1970"
PATH = f"/calls/visit%204711.flac?{SECRET}"
LIMIT = 100_000
DIGEST = hashlib.sha256(AUDIO).hexdigest()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def fetcher() -> Iterator[LinkFetcher]:
    """One for all tests: its fork server is warm after the first."""
    fetcher = LinkFetcher(Settings(max_recording_bytes=LIMIT))
    yield fetcher
    fetcher.close()


class Links:
    """An API that fetches from some hosts, and its stores."""

    def __init__(self, fetcher: LinkFetcher, app: FastAPI) -> None:
        self.api, self.fetcher, self._app = ApiFixture(), fetcher, app

    async def submit(
        self,
        body: Mapping[str, object],
        hosts: str,
        networks: str = LOOPBACK,
        path: str = "/v1/jobs",
        **headers: str,
    ) -> httpx.Response:
        update = {"tenant_link_hosts": hosts, "link_networks": networks}
        self.api.settings = self.api.settings.model_copy(update=update)
        deps = self.api.deps()
        deps.fetcher = self.fetcher
        self._app.state.deps = deps
        transport = httpx.ASGITransport(self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:7001", timeout=60) as client:
            return await client.post(path, json=body, headers=headers)

    async def fetch(self, host: Host, **body: object) -> httpx.Response:
        return await self.submit({"url": host.origin + PATH, **body}, host.origin)


@pytest.fixture(scope="module")
def app() -> FastAPI:
    """One for all tests, which give it their stores."""
    api = ApiFixture()
    return api.app()


@pytest.fixture
def links(fetcher: LinkFetcher, app: FastAPI) -> Links:
    return Links(fetcher, app)


async def test_a_recording_behind_a_link_becomes_a_job(links: Links) -> None:
    with Host(answer(AUDIO, 'ETag: "v1"')) as host, capture_logs() as logs:
        accepted = await links.fetch(host, num_speakers=2, reference="visit-1", sha256=DIGEST.upper(), etag="v1")
    assert accepted.status_code == 202, accepted.text
    job = accepted.json()
    assert job["recording"]["sha256"] == DIGEST
    assert (job["speakers"], job["reference"]) == ({"min": 2, "max": 2}, "visit-1")
    assert job["recording"]["file_name"] == "visit 4711.flac"
    assert list(links.api.sounds.values()) == [AUDIO]
    assert links.api.queue.published
    [head] = host.heads
    assert head.splitlines()[0] == f"GET {PATH} HTTP/1.1"
    names = {line.partition(":")[0].lower() for line in head.splitlines()[1:] if line}
    assert names == {"host", "user-agent", "accept-encoding", "connection", "if-match"}  # no key, no trace, no cookie
    assert SECRET not in f"{logs}{accepted.text}{links.api.recordings.objects}"


async def test_links_of_a_batch_are_fetched_before_the_answer_and_once(links: Links) -> None:
    """Also those of a request that is repeated, and none of them is stored or logged."""
    with Host(answer(AUDIO)) as host, capture_logs() as logs:
        jobs = [{"url": f"{host.origin}/{number}.flac?{SECRET}"} for number in range(6)]
        jobs.append({"url": f"http://127.0.0.1:1/7.flac?{SECRET}"})
        first, second = [
            await links.submit(
                {"jobs": jobs, "options": {"queue": "batch"}},
                host.origin,
                path="/v1/batches",
                **{"Idempotency-Key": "k"},
            )
            for _ in range(2)
        ]
    assert (first.status_code, first.json()) == (202, second.json())
    assert first.json()["counts"] == {"queued": 6, "refused": 1}, first.text
    assert first.json()["items"][6]["problem"]["code"] == "link_not_allowed"
    assert len(host.heads) == 6
    assert SECRET not in f"{logs}{first.text}{links.api.recordings.objects}"


def repeat(begin: bytes, block: bytes, pause: float = 0.0) -> Callable[[socket.socket], None]:
    """Return a host's answer that never ends."""

    def send(connection: socket.socket) -> None:
        connection.sendall(begin)
        for _ in itertools.count():
            connection.sendall(block)
            time.sleep(pause)

    return send


HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
METADATA = "Location: http://169.254.169.254/latest/meta-data/"
BAD: dict[str, tuple[Answer, int, str]] = {
    "a redirect to the metadata service": (answer(b"", METADATA, status="302 Found"), 422, "link_unusable"),
    "nothing of this name": (answer(b"no", status="404 Not Found"), 422, "link_unusable"),
    "an expired signature": (answer(b"no", status="403 Forbidden"), 422, "link_unusable"),
    "a host that is busy": (answer(b"no", status="503 Service Unavailable"), 424, "link_unreachable"),
    "half of it": (answer(AUDIO, status="206 Partial Content"), 422, "link_unusable"),
    "a compressed answer": (answer(AUDIO, "Content-Encoding: gzip"), 422, "link_unusable"),
    "a cut": (answer(AUDIO, length=len(AUDIO) + 1), 422, "link_unusable"),
    "no length": (answer(AUDIO, length=None), 422, "link_unusable"),
    "two lengths": (answer(AUDIO, "Content-Length: 3"), 422, "link_unusable"),
    "a negative length": (answer(AUDIO, length=-5), 422, "link_unusable"),
    "a length over the limit": (answer(AUDIO, length=LIMIT + 1), 413, "recording_too_large"),
    "chunks without an end": (repeat(CHUNKED, b"1000\r\nfLaC" + bytes(0xFFC) + b"\r\n"), 413, "recording_too_large"),
    "a head without an end": (repeat(HEAD, b"x: y\r\n" * 1000), 422, "link_unusable"),
    "informational answers without an end": (repeat(b"", b"HTTP/1.1 103 \r\n\r\n", 0.01), 424, "late"),
    "a byte now and then": (repeat(answer(b"fLaC", length=9000), b"x", 0.05), 424, "late"),
    "an answer of another protocol": (b"220 mail.example ESMTP\r\n", 422, "link_unusable"),
    "nothing at all": (b"", 422, "link_unusable"),
    "text": (answer(b"Dear colleague,\n" * 100), 415, "not_audio"),
    "an empty recording": (answer(b""), 422, "empty_recording"),
    "a damaged recording": (answer(b"fLaC damaged"), 422, "unreadable_recording"),
}


@pytest.mark.parametrize(("given", "status", "code"), BAD.values(), ids=BAD.keys())
async def test_a_bad_answer_is_a_problem_and_leaves_nothing(
    links: Links,
    monkeypatch: pytest.MonkeyPatch,
    given: Answer,
    status: int,
    code: str,
) -> None:
    if code == "late":
        monkeypatch.setattr(links.fetcher, "_seconds", 0.5)
        code = "link_unreachable"
    with Host(given) as host, capture_logs() as logs:
        refused = await links.fetch(host)
        assert_problem(refused, status, code)
        assert await asyncio.to_thread(host.left.wait, 10)  # the connection is not held
    assert host.connections == 1
    assert links.api.empty()
    assert SECRET not in f"{logs}{refused.text}"


async def test_a_silent_host_is_left(links: Links, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "SILENT_SECONDS", 1)
    with Host(lambda connection: time.sleep(5)) as host:
        assert_problem(await links.fetch(host), 424, "link_unreachable")
    assert links.api.empty()


async def test_a_host_that_takes_no_connection_is_unreachable(links: Links) -> None:
    with Host(b"") as host:
        pass
    refused = await links.fetch(host)
    assert_problem(refused, 424, "link_unreachable")
    assert refused.headers["retry-after"] == "30"


@pytest.mark.parametrize("condition", [{"sha256": "0" * 64}, {"etag": '"v2"'}], ids=["sha256", "etag"])
async def test_another_recording_than_the_caller_means_is_refused(links: Links, condition: dict[str, str]) -> None:
    with Host(answer(AUDIO, 'ETag: "v1"')) as host:
        assert_problem(await links.fetch(host, **condition), 422, "link_changed")
        host.answer = answer(b"", status="412 Precondition Failed")
        if "etag" in condition:
            assert_problem(await links.fetch(host, **condition), 422, "link_changed")
            assert 'if-match: "v2"' in host.heads[-1].lower()
    assert links.api.empty()


async def test_a_digest_stands_for_a_length(links: Links) -> None:
    with Host(answer(AUDIO, length=None)) as host:
        assert (await links.fetch(host, sha256=DIGEST)).status_code == 202


# Where the server must not go

WRONG_URLS = [
    "file:///etc/passwd", "s3://calls/a.wav", "http://user:word@127.0.0.1/a", "http://127.0.0.1/a#part", "http://",
    "http://127.0.0.1/a\r\nX: y", "http://127.0.0.1/a b", "//127.0.0.1/a", "http://127.0.0.1:99999/", "",
]  # fmt: skip


@pytest.mark.parametrize("url", WRONG_URLS)
async def test_a_wrong_url_is_refused(links: Links, url: str) -> None:
    assert_problem(await links.submit({"url": url}, "http://127.0.0.1"), 422, "invalid_option")


@pytest.mark.parametrize(
    "body",
    [{}, {"url": "http://a/", "object": "s3://b/c"}, {"url": 7}, {"url": "http://127.0.0.1/", "sha256": "x"},
     {"url": "http://127.0.0.1/", "etag": "a\r\nb"}, {"url": "http://127.0.0.1/", "num_speakers": "two"}, [],
     {"url": "http://127.0.0.1/", "file_name": ["a"]}, {"url": "http://127.0.0.1/", "num_speakers": True},
     {"url": "http://127.0.0.1/", "num_speakers": 2.0}],
    ids=["nothing", "two", "number", "no digest", "lines", "option", "list", "names", "truth", "fraction"],
)  # fmt: skip
async def test_a_wrong_body_is_refused(links: Links, body: Any) -> None:
    assert_problem(await links.submit(body, "http://127.0.0.1"), 422, "invalid_option")
    assert links.api.empty()


async def test_links_are_off_until_the_operator_names_a_host(links: Links) -> None:
    with Host(answer(AUDIO)) as host:
        assert_problem(await links.submit({"url": host.origin}, ""), 403, "link_not_allowed")
        assert_problem(await links.submit({"object": "s3://calls/a"}, host.origin), 403, "link_not_allowed")
    assert host.connections == 0


@pytest.mark.parametrize(
    ("hosts", "networks"),
    [
        ("https://127.0.0.1:{port}", LOOPBACK),
        ("http://127.0.0.1", LOOPBACK),
        ("http://recordings.example:{port}", LOOPBACK),
        ("http://*.0.0.1:{port}, http://7.0.0.1:{port}", ""),
        ("http://127.0.0.1:{port}", ""),
        ("http://127.0.0.1:{port}", "10.0.0.0/8"),
    ],
    ids=["scheme", "port", "host", "wildcard", "public addresses only", "another network"],
)
async def test_a_host_that_is_not_allowed_is_not_asked(links: Links, hosts: str, networks: str) -> None:
    with Host(answer(AUDIO)) as host:
        refused = await links.submit({"url": host.origin}, hosts.format(port=host.port), networks)
    assert refused.status_code in (403, 422), refused.text
    assert host.connections == 0


ALIASES = [
    "http://2130706433:{port}",
    "http://0x7f000001:{port}",
    "http://127.1:{port}",
    "http://[::ffff:7f00:1]:{port}",
]


@pytest.mark.parametrize("alias", ALIASES)
async def test_an_address_in_disguise_is_the_same_address(links: Links, alias: str) -> None:
    with Host(answer(AUDIO)) as host:
        origin = alias.format(port=host.port)
        refused = await links.submit({"url": f"{origin}/a.flac"}, origin, "")
    assert refused.status_code in (403, 422, 424), refused.text
    assert host.connections == 0


async def test_a_name_that_changes_its_address_is_looked_up_once(links: Links, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    look_up = socket.getaddrinfo

    def rebinding(name: str, port: int, *rest: Any, **options: Any) -> Any:
        if not name.endswith(".example"):
            return look_up(name, port, *rest, **options)
        asked.append(name)
        return look_up("127.0.0.2" if len(asked) == 1 else "127.0.0.1", port, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    with Host(answer(AUDIO), "127.0.0.2") as allowed, Host(answer(AUDIO), "127.0.0.1", allowed.port) as inside:
        origin = f"http://clinic.recordings.example:{allowed.port}"
        accepted = await links.submit(
            {"url": f"{origin}/a"}, f"http://*.recordings.example:{allowed.port}", "127.0.0.2/32"
        )
    assert accepted.status_code == 202, accepted.text
    assert (asked, allowed.connections, inside.connections) == (["clinic.recordings.example"], 1, 0)
    assert f"Host: clinic.recordings.example:{allowed.port}" in allowed.heads[0]


# The same key, the same job


async def test_a_repeated_link_is_not_fetched_again(links: Links) -> None:
    key = {"Idempotency-Key": "k"}
    with Host(answer(AUDIO)) as host:
        body = {"url": f"{host.origin}{PATH}", "num_speakers": 2}
        first = await links.submit(body, host.origin, **key)
        other_link = await links.submit(body | {"url": f"{host.origin}/new-signature"}, host.origin, **key)
        host.answer = answer(AUDIO + b"!")
        other_recording = await links.submit(body | {"url": f"{host.origin}/other"}, host.origin, **key)
        other_option = await links.submit(body | {"num_speakers": 3}, host.origin, **key)
    again = await links.submit(body, host.origin, **key)
    assert [one.status_code for one in (first, other_link, again)] == [202, 202, 202]
    assert first.json()["id"] == other_link.json()["id"] == again.json()["id"]
    assert again.headers["idempotency-replayed"] == "true"
    for refused in (other_recording, other_option):
        assert_problem(refused, 422, "idempotency_key_reused")
    assert (host.connections, len(links.api.sounds)) == (4, 1)


async def test_a_caller_that_leaves_leaves_nothing(links: Links) -> None:
    with Host(repeat(answer(b"fLaC", length=90_000), b"x", 0.05)) as host:
        request = asyncio.create_task(links.fetch(host))
        while not host.heads:
            await asyncio.sleep(0.01)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        assert await asyncio.to_thread(host.left.wait, 10)
    assert links.api.empty()


# The process that fetches


@pytest.mark.skipif(bool(missing()), reason="this system cannot confine")
def test_the_process_that_fetches_reaches_nothing_but_its_connection(tmp_path: Path) -> None:
    file = tmp_path / "recording"
    file.write_bytes(b"another conversation")
    sandbox = Sandbox(("tests.support.hostile",))
    ours, theirs = socket.socketpair()
    reading, writing = os.pipe()
    with ours, theirs, socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        target = {"owner": os.getpid(), "file": str(file), "port": port}
        limits = DecodeLimits()
        found = sandbox.run("tests.support.hostile:reach", target, limits, theirs.fileno(), writing, 0, streams=True)
    os.close(reading)
    os.close(writing)
    sandbox.close()
    assert {name: found[name] for name in ATTEMPTS if found[name] != "PermissionError"} == {}


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Return a certificate that signs itself, and its key."""
    key, made = folder / "key.pem", folder / "cert.pem"
    subject = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name},IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run([*command, *subject, "-keyout", key, "-out", made], check=True, capture_output=True)
    return made, key


async def test_https_takes_the_hosts_certificate_and_no_other(
    links: Links, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, key = certificate(tmp_path, "recordings.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(made))
    links.fetcher = LinkFetcher(Settings(max_recording_bytes=LIMIT))
    look_up = socket.getaddrinfo

    def local(name: str, port: int, *rest: Any, **options: Any) -> Any:
        return look_up("127.0.0.1" if name.endswith(".example") else name, port, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", local)
    with Host(answer(AUDIO)) as host:
        host.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        host.tls.load_cert_chain(made, key)
        hosts = f"https://*.example:{host.port}, https://recordings.example:{host.port}"
        accepted = await links.submit({"url": f"https://recordings.example:{host.port}/a"}, hosts)
        refused = await links.submit({"url": f"https://another.example:{host.port}/a"}, hosts)
    links.fetcher.close()
    assert accepted.status_code == 202, accepted.text
    assert "certificate" in str(assert_problem(refused, 422, "link_unusable")["detail"])


# Objects of buckets


@pytest.mark.skipif(bool(missing_for_s3()), reason=missing_for_s3())
async def test_an_object_of_an_allowed_bucket_becomes_a_job(
    links: Links, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = S3Server(tmp_path, free_port(), free_port())
    for path, data in {"calls/2026/visit 4711.flac": AUDIO, "calls/a.flac": AUDIO, "other/a.flac": AUDIO}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    for name, value in environment_of(server.port).items():
        monkeypatch.setenv(name, value)
    update = {"tenant_link_buckets": "s3://calls/2026"}
    links.api.settings = links.api.settings.model_copy(update=update)
    server.start()
    try:
        accepted = await links.submit({"object": "s3://calls/2026/visit 4711.flac", "sha256": DIGEST}, "")
        refused = [
            await links.submit({"object": f"s3://{key}"}, "")
            for key in (
                "calls/a.flac",
                "other/a.flac",
                "calls/2026/../a.flac",
                "calls/2026/none.flac",
                "calls",
            )
        ]
    finally:
        server.kill()
    assert accepted.status_code == 202, accepted.text
    assert accepted.json()["recording"]["file_name"] == "visit 4711.flac"
    assert [one.json()["code"] for one in refused] == [
        "link_not_allowed", "link_not_allowed", "invalid_option", "link_unusable", "invalid_option"
    ]  # fmt: skip


def test_a_tenant_has_its_own_hosts_and_buckets() -> None:
    own = TenantQuota(link_hosts="https://b.example", link_buckets="")
    policy = LinkPolicy(
        Settings(
            tenant_link_hosts="https://a.example", tenant_link_buckets="s3://calls", tenants={"radiology": own},
            objects_url="s3://parley",
        )
    )  # fmt: skip
    assert policy.of_url("north", "https://a.example/a").target.host == "a.example"
    assert policy.of_url("radiology", "https://b.example/a").target.host == "b.example"
    for tenant, url in {"north": "https://b.example/a", "radiology": "https://a.example/a"}.items():
        with pytest.raises(LinkNotAllowed):
            policy.of_url(tenant, url)
    with pytest.raises(LinkNotAllowed):
        policy.of_object("radiology", "s3://calls/a")


@pytest.mark.parametrize(
    ("name", "value"),
    [("tenant_link_hosts", one) for one in ("a.example", "ftp://a", "https://a/path", "https://u@a", "https://*", "https://a:x")]
    + [("tenant_link_buckets", one) for one in ("file:///etc", "calls", "s3://", "s3://parley/part")],
)  # fmt: skip
def test_a_wrong_host_or_bucket_stops_the_start(name: str, value: str) -> None:
    with pytest.raises(UnsafeSettings, match=f"PARLEY_{name}".upper()):
        LinkPolicy(Settings(objects_url="s3://parley").model_copy(update={name: value}))
