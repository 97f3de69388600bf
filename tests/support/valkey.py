"""A real Valkey for tests: on a Unix socket, append-only, killable and restartable on the same data."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any
from weakref import finalize

from redis import Redis
from redis.exceptions import RedisError

from parley_local.valkey import find_server
from tests.support.roles import ON, access_list, refusals
from tests.support.waiting import HANG_SECONDS, until


class Valkey:
    """One server; `url` is the address that Parley's settings take."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._folder, self._arguments = folder, arguments
        short = tempfile.mkdtemp(prefix="vk-")  # socket paths are limited to about 100 bytes
        finalize(self, shutil.rmtree, short, ignore_errors=True)
        self._socket = Path(short) / "s"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{self._socket}?db=0"
        self._login: dict[str, str] = {}

    def start_as(self, user: str, password: str) -> None:
        """Start a server that answers nobody without a password."""
        self._login = {"username": user, "password": password}
        self.start()

    def start(self) -> None:
        """Start and wait until it answers, with the data that is there."""
        self._folder.mkdir(parents=True, exist_ok=True)
        command = [str(find_server()), "--port", "0", "--unixsocket", str(self._socket), "--dir", str(self._folder)]
        command += ["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction"]
        with (self._folder / "valkey.log").open("ab") as log:
            options = (*self._arguments, *access_list(self._folder))
            self._process = subprocess.Popen([*command, *options, "--set-proc-title", "no"], stdout=log, stderr=log)
        self._wait_until_it_answers()

    def _wait_until_it_answers(self) -> None:
        until(self._answers, what=f"Valkey did not start: see {self._folder}/valkey.log")

    def _answers(self) -> bool:
        try:
            return bool(self.client().ping())
        except RedisError:
            return False

    def follow(self, port: int) -> None:
        """Become a replica of the server on that port, and wait until all data is there."""
        client: Any = self.client()
        client.replicaof("127.0.0.1", port)
        until(lambda: client.info("replication").get("master_link_status") == "up")

    def client(self) -> Redis:
        return Redis.from_url(self.url, decode_responses=True, socket_timeout=5, **self._login)

    def wipe(self) -> None:
        """Kill it and remove its data: the volume is gone."""
        self.kill()
        shutil.rmtree(self._folder)

    def snapshot(self, folder: Path) -> None:
        """Copy the data as a volume snapshot would, while the server goes on."""
        shutil.copytree(self._folder, folder)

    def roll_back(self, folder: Path) -> None:
        """Kill it and put a snapshot in the place of its data."""
        self.kill()
        shutil.rmtree(self._folder)
        shutil.copytree(folder, self._folder)

    def kill(self) -> None:
        """SIGKILL: nothing is flushed that was not flushed before."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM. Where roles are tested, fail for what their access list has refused."""
        refused = refusals(self.client()) if ON and self._process is not None else []
        self._signal(signal.SIGTERM)
        assert not refused, refused

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(HANG_SECONDS)
            self._process = None
