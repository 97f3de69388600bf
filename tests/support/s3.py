"""The S3 server of the chart for tests, and a server that stores objects and loses its answers."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.support.waiting import until

BUCKET, KEY = "parley", "k" * 20
FOLDERS = ("recordings", "results", "jobs", "changes", "unrecorded", "history", "idempotency", "checks")


def environment_of(port: int) -> dict[str, str]:
    """Return what a part of Parley needs to reach an S3 server on this machine."""
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": KEY,
    }


class S3Server:
    """versitygw with a bucket, as in the chart. `bucket` is its folder: a file there is an object."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder, self.port = folder, port
        self.bucket = folder / BUCKET
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it takes connections."""
        for name in FOLDERS:
            (self.bucket / name / ".kept").mkdir(parents=True, exist_ok=True)
        command = ["versitygw", "--port", f"127.0.0.1:{self.port}", "--quiet", "posix", str(self._folder)]
        environment = {**os.environ, "ROOT_ACCESS_KEY": KEY, "ROOT_SECRET_KEY": KEY}
        self._process = subprocess.Popen(command, env=environment)
        until(self._listens, what="versitygw did not start")

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @contextmanager
    def black_holed(self) -> Iterator[None]:
        """Drop every packet to the server, also those that open a connection: nothing answers. Needs root."""
        rule = ["INPUT", "-p", "tcp", "--dport", str(self.port), "-j", "DROP"]
        subprocess.run(["iptables", "-w", "-I", *rule], check=True)
        try:
            yield
        finally:
            subprocess.run(["iptables", "-w", "-D", *rule], check=True)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def missing_for_black_holes() -> str:
    """Return what this machine lacks for a black-holed S3 server, or an empty text."""
    if os.geteuid() != 0:
        return "dropping packets needs root"
    return ", ".join(f"{name} is not on PATH" for name in ("versitygw", "iptables") if shutil.which(name) is None)


class ForgetfulS3:
    """An S3 server for conditional puts and reads. It ends `lost` connections after a put instead of answering.

    Attributes:
        objects: bytes by key.
        puts: number of puts by key.
    """

    def __init__(self, lost: int) -> None:
        self.lost = lost
        self.objects: dict[str, bytes] = {}
        self.puts: Counter[str] = Counter()

    @contextmanager
    def serving(self) -> Iterator[int]:
        """Serve in a thread. Gives the port."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield int(server.server_address[1])
        server.shutdown()
        thread.join()
        server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        store = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_PUT(self) -> None:
                data = self.rfile.read(int(self.headers["Content-Length"]))
                store.puts[self.path] += 1
                there = self.path in store.objects
                store.objects.setdefault(self.path, data)
                if store.lost:
                    store.lost -= 1
                    self.close_connection = True
                    return
                self._answer(412 if there else 200, b"")

            def do_GET(self) -> None:
                self._answer(200, store.objects[self.path])

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                for name, value in (("Content-Length", len(body)), ("ETag", '"1"')):
                    self.send_header(name, str(value))
                self.send_header("Last-Modified", "Fri, 27 Nov 2026 08:00:00 GMT")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        return Handler
