"""The API as its users meet it: a process of its own, on a port of loopback."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import psutil

from parley_core.settings import Settings
from tests.support.roles import as_role
from tests.support.waiting import HANG_SECONDS, seconds_of, until


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class ApiProcess:
    """`python -m parley_api` for as long as the context lasts; `http` asks it."""

    def __init__(self, settings: Settings, log: Path, **environment: str) -> None:
        self.port, self.log = free_port(), log
        self.url = f"http://127.0.0.1:{self.port}"
        self.http = httpx.Client(base_url=self.url, timeout=HANG_SECONDS)
        self.environment = {
            **os.environ,
            "PARLEY_REDIS_URL": as_role(settings.redis_url.get_secret_value(), "api"),
            "PARLEY_OBJECTS_URL": settings.objects_url,
            "PARLEY_PORT": str(self.port),
            "PARLEY_REDIS_TIMEOUT_SECONDS": str(settings.redis_timeout_seconds),
            **environment,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "parley_api"], env=self.environment, stdout=log, stderr=log
            )
        self.start_seconds = seconds_of(self._wait_until_it_answers)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.http.close()
        if self.running.poll() is None:
            self.running.kill()
            self.running.wait(HANG_SECONDS)

    @property
    def running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def _wait_until_it_answers(self) -> None:
        until(lambda: self._answers() or self.running.poll() is not None, what="the API does not answer")
        assert self.running.poll() is None, f"the API did not start: {self.log.read_text()[-2000:]}"

    def _answers(self) -> bool:
        try:
            return self.http.get("/livez").is_success
        except httpx.TransportError:
            return False

    def terminate(self) -> None:
        self.running.send_signal(signal.SIGTERM)

    def resident_bytes(self) -> int:
        """Memory of the API process itself, without the processes that it starts."""
        return int(psutil.Process(self.running.pid).memory_info().rss)

    def connections(self) -> int:
        """Connections that the API has accepted."""
        found = psutil.Process(self.running.pid).net_connections("tcp")
        return sum(one.status == psutil.CONN_ESTABLISHED and one.laddr.port == self.port for one in found)
