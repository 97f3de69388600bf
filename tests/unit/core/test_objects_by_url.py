"""A store by URL that is away for a moment costs a wait; one that stays away says why, and gives no secret away."""

from __future__ import annotations

import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import structlog.testing

from parley_core.errors import ObjectStoreUnavailable
from parley_core.storage import remote
from parley_core.storage.remote import RemoteStore, safe_cause
from tests.support.s3 import ForgetfulS3, environment_of

AWAY_SECONDS = 2.0


class TakesAll(BaseHTTPRequestHandler):
    """As much of S3 as a put needs."""

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("ETag", '"e"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """The test's own output is enough."""


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Where the store's address points: bound and not listening, so that it refuses connections."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{bound.getsockname()[1]}")
        monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "the-access-key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-secret-key")
        yield bound


def test_a_store_that_refuses_connections_for_seconds_loses_no_put(away: socket.socket) -> None:
    server = ThreadingHTTPServer(away.getsockname(), TakesAll, bind_and_activate=False)
    server.socket.close()
    server.socket = away
    threading.Timer(AWAY_SECONDS, lambda: (away.listen(), server.serve_forever())).start()
    started = time.monotonic()
    RemoteStore("s3://bucket").put("recordings/a", b"audio")
    assert time.monotonic() - started >= AWAY_SECONDS
    server.shutdown()


def test_a_store_that_stays_away_is_said_with_its_cause(away: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "REMOTE_RETRY", {"max_retries": 1})
    with structlog.testing.capture_logs() as lines, pytest.raises(ObjectStoreUnavailable, match="GenericError"):
        RemoteStore("s3://bucket").put("recordings/a", b"audio")
    (line,) = lines
    assert line["error"] == "GenericError"
    for told in ("PUT", f"127.0.0.1:{away.getsockname()[1]}", "after 1 retries", "Connection refused"):
        assert told in line["cause"]
    assert "the-access-key" not in line["cause"]
    assert "the-secret-key" not in line["cause"]


def test_a_signature_in_an_address_is_not_told() -> None:
    said = "Error performing GET https://store/box/recordings/a?sv=2025&sig=c2VjcmV0 in 5s\n\nDebug source:\nGeneric {}"
    cause = safe_cause(RuntimeError(said))
    assert "https://store/box/recordings/a?... in 5s" in cause
    assert "c2VjcmV0" not in cause


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux opens a file without a name by a path")
def test_a_fetched_recording_has_no_name_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is killed while it reads leaves nothing behind."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name, value in environment_of(0).items():
        monkeypatch.setenv(name, value)
    server = ForgetfulS3(0)
    server.objects["/parley/recordings/a"] = b"sound"
    with server.serving() as port:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        with RemoteStore("s3://parley").fetch("recordings/a") as path:
            assert list(tmp_path.iterdir()) == []
            assert path.read_bytes() == b"sound"
