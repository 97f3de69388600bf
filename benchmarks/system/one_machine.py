"""The whole system as `make run` starts it, for the duration of a benchmark."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil


@dataclass(frozen=True, slots=True)
class System:
    """A running system: an HTTP client for its API, and its process tree."""

    http: httpx.Client
    root: psutil.Process

    def submit(self, recording: bytes, media_type: str = "audio/flac", **options: str) -> str:
        """Return the job's id."""
        answer = self.http.post("/v1/jobs", content=recording, headers={"Content-Type": media_type}, params=options)
        answer.raise_for_status()
        return str(answer.json()["id"])

    def job(self, job_id: str, wait: float = 0) -> dict[str, Any]:
        answer = self.http.get(f"/v1/jobs/{job_id}", params={"wait": str(wait)} if wait else {})
        answer.raise_for_status()
        job: dict[str, Any] = answer.json()
        return job

    def finished(self, job_id: str) -> dict[str, Any]:
        """Wait until the job has ended and return it; raise if it did not succeed."""
        while (job := self.job(job_id, wait=30))["state"] not in ("succeeded", "failed", "cancelled"):
            pass
        if job["state"] != "succeeded":
            raise RuntimeError(f"the job {job['state']}: {job['error']}")
        return job

    def processes(self, *words: str) -> list[psutil.Process]:
        """Return the processes of this system whose command line contains all the words."""
        tree = self.root.children(recursive=True)
        return [process for process in tree if all(word in " ".join(_command(process)) for word in words)]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def one_machine(**settings: str) -> Iterator[System]:
    """Start the system on free ports with an empty home, wait until it is ready, and stop it at the end."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as home:
        environment = {**os.environ, "PARLEY_HOME": home, "PARLEY_PORT": str(port), **settings}
        environment["PARLEY_FLOWER_PORT"] = str(free_port())
        with (Path(home) / "run.log").open("wb") as log:
            command = [sys.executable, "-m", "parley_local", "run"]
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as http:
                _wait_until_ready(http, Path(home) / "run.log")
                yield System(http, psutil.Process(process.pid))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _wait_until_ready(http: httpx.Client, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if http.get("/readyz").status_code == 200 and http.get("/v1/queues").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise TimeoutError(f"the system was not ready within 60 s:\n{log.read_text()[-2000:]}")
