"""The S3 server of the chart for tests, and a server that stores objects and loses its answers."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.support.waiting import until

BUCKET, KEY = "parley", "k" * 20
FLUSHER = Path(__file__).parents[2] / "charts/parley/files/flush.py"
FOLDERS = (
    *("recordings", "results", "jobs", "changes", "unrecorded"),
    *("history", "idempotency", "checks", "checkpoints", "keys", "uploads"),
)


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
    """versitygw with a bucket and its flusher, as in the chart. `bucket` is its folder: a file there is an object."""

    def __init__(self, folder: Path, port: int, flush_port: int) -> None:
        self._folder, self.port, self._flush_port = folder, port, flush_port
        self.bucket = folder / BUCKET
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def environment(self) -> dict[str, str]:
        """What a part of Parley needs to reach it."""
        flusher = {"PARLEY_OBJECTS_FLUSH_URL": f"http://127.0.0.1:{self._flush_port}"}
        return {"PARLEY_OBJECTS_URL": f"s3://{BUCKET}", **environment_of(self.port), **flusher}

    def start(self) -> None:
        """Start and wait until both take connections."""
        for name in FOLDERS:
            (self.bucket / name / ".kept").mkdir(parents=True, exist_ok=True)
        command = ["versitygw", "--port", f"127.0.0.1:{self.port}", "--quiet", "posix", str(self._folder)]
        environment = {**os.environ, "ROOT_ACCESS_KEY": KEY, "ROOT_SECRET_KEY": KEY}
        flusher = [sys.executable, str(FLUSHER), str(self._folder), str(self._flush_port)]
        self._processes = [subprocess.Popen(words, env=environment) for words in (command, flusher)]
        until(lambda: all(map(_listens, (self.port, self._flush_port))), what="the S3 server did not start")

    @contextmanager
    def black_holed(self) -> Iterator[None]:
        """Drop every packet to the server, also those that open a connection: nothing answers. Needs root."""
        rule = ["INPUT", "-p", "tcp", "--dport", str(self.port), "-j", "DROP"]
        subprocess.run(["iptables", "-w", "-I", *rule], check=True)
        try:
            yield
        finally:
            subprocess.run(["iptables", "-w", "-D", *rule], check=True)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it do nothing."""
        for process in self._processes:
            process.send_signal(signal.SIGSTOP)
        yield
        for process in self._processes:
            process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Disk:
    """A file system in a file. A copy of the file is what a power cut leaves: what only memory has is missing."""

    def __init__(self, image: Path) -> None:
        self.image = image

    def make(self, megabytes: int) -> None:
        """Make an empty file system."""
        with self.image.open("wb") as file:
            file.truncate(megabytes * 1024**2)
        subprocess.run(["mkfs.ext4", "-q", str(self.image)], check=True)

    def cut(self, copy: Path) -> Disk:
        """Return the disk as it would be after a power cut now. Nothing may write to its files meanwhile."""
        until(lambda: self._copied(copy), what="the kernel never stopped writing to the disk")
        return Disk(copy)

    def _copied(self, copy: Path) -> bool:
        """Copy the image. Return whether it stayed the same: blocks of two moments are no file system."""
        before = self.image.stat().st_mtime_ns
        subprocess.run(["cp", "--sparse=always", str(self.image), str(copy)], check=True)
        return self.image.stat().st_mtime_ns == before

    @contextmanager
    def mounted(self, folder: Path) -> Iterator[Path]:
        """Mount it. The journal is replayed, as after a power cut."""
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-o", "loop", str(self.image), str(folder)], check=True)
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=False)


def missing_for_s3() -> str:
    """Return what this machine lacks for an S3 server, or an empty text."""
    return "" if shutil.which("versitygw") else "versitygw is not on PATH: `make chart-tools` installs it"


def missing_for_s3_faults() -> str:
    """Return what this machine lacks for faults of an S3 server, or an empty text."""
    if os.geteuid() != 0:
        return "dropping packets and mounting a file system need root"
    programs = ("versitygw", "iptables", "mkfs.ext4")
    return ", ".join(f"{name} is not on PATH" for name in programs if shutil.which(name) is None)


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
