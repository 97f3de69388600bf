"""Three real Valkeys watched by three real Sentinels, on ports of this machine."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError, ResponseError

from parley_local.valkey import find_server
from tests.support.api_process import free_port
from tests.support.valkey import Valkey
from tests.support.waiting import HANG_SECONDS, until

SERVICE = "parley"
DOWN_AFTER_MS = 1000  # from the last answer of a primary to a Sentinel's suspicion


class Sentinels:
    """The service; `url` is the address that Parley's settings take."""

    def __init__(self, folder: Path) -> None:
        self.ports = [free_port() for _ in range(3)]
        self.servers = {port: self._server(folder, port) for port in self.ports}
        self._sentinel_ports = [free_port() for _ in range(3)]
        self._folder = folder
        self._sentinels: list[subprocess.Popen[bytes]] = []
        hosts = ",".join(f"127.0.0.1:{port}" for port in self._sentinel_ports)
        self.url = f"redis+sentinel://{hosts}/{SERVICE}/0"

    def _server(self, folder: Path, port: int) -> Valkey:
        return server_of(folder, port, {})

    def start(self) -> None:
        """Start all, and wait until each Sentinel knows both replicas and both others."""
        first, *others = self.ports
        for server in self.servers.values():
            server.start()
        for port in others:
            self.servers[port].follow(first)
        self._sentinels = [self._start_sentinel(port, first) for port in self._sentinel_ports]
        until(lambda: all(self._knows_all(port) for port in self._sentinel_ports))

    def _start_sentinel(self, port: int, primary: int) -> subprocess.Popen[bytes]:
        config = self._folder / f"sentinel-{port}.conf"
        config.write_text(
            f"port {port}\nsentinel monitor {SERVICE} 127.0.0.1 {primary} 2\n"
            f"sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}\nsentinel failover-timeout {SERVICE} 3000\n"
        )
        with (self._folder / f"sentinel-{port}.log").open("wb") as log:
            return subprocess.Popen(
                [find_server(), str(config), "--sentinel", "--set-proc-title", "no"], stdout=log, stderr=log
            )

    def _ask(self, port: int) -> Any:
        """Return a client that waits for a Sentinel on a busy machine. One that is dead refuses the connection."""
        return Redis("127.0.0.1", port, socket_timeout=HANG_SECONDS)

    def _knows_all(self, port: int) -> bool:
        try:
            state = self._ask(port).sentinel_masters()[SERVICE]
        except (RedisError, KeyError):
            return False
        return bool(state["num-slaves"] == 2 and state["num-other-sentinels"] == 2)

    def primary(self) -> int:
        """Return the port of the primary, as the first Sentinel that answers says."""
        for port in self._sentinel_ports:
            try:
                return int(self._ask(port).sentinel_get_master_addr_by_name(SERVICE)[1])
            except RedisError:
                continue
        raise TimeoutError("no Sentinel answers")

    def fail_over(self, *how: str) -> None:
        """Swap roles on purpose, and wait until another server is the primary."""
        before = self.primary()
        until(lambda: self._begins_failover(how))
        self.wait_for_another(before)

    def _begins_failover(self, how: tuple[str, ...]) -> bool:
        """Ask for a failover. A Sentinel that has not looked at the replicas yet refuses it (NOGOODSLAVE)."""
        try:
            self._ask(self._sentinel_ports[0]).execute_command("SENTINEL", "FAILOVER", SERVICE, *how)
        except ResponseError:
            return False
        return True

    def wait_for_another(self, before: int) -> None:
        until(lambda: self.primary() != before)
        until(lambda: self.servers[self.primary()].client().info("replication")["role"] == "master")

    def wait_until_whole(self) -> None:
        """Wait until two replicas follow the primary: only then can it be taken away again."""
        until(lambda: self._replicas() == 2)

    def _replicas(self) -> int:
        info: Any = self.servers[self.primary()].client().info("replication")
        online = [info[name] for name in info if name.startswith("slave") and info[name]["state"] == "online"]
        return len(online) if info["role"] == "master" else 0

    def stop(self) -> None:
        for process in self._sentinels:
            process.send_signal(signal.SIGKILL)
            process.wait(HANG_SECONDS)
        for server in self.servers.values():
            server.kill()


def server_of(folder: Path, port: int, more: Mapping[str, str | int]) -> Valkey:
    """A primary that loses its replicas stops taking writes within two seconds."""
    options: dict[str, str | int] = {
        "port": port,
        "repl-diskless-sync-delay": 0,
        "min-replicas-to-write": 1,
        "min-replicas-max-lag": 2,
    }
    words = [word for name, value in (options | more).items() for word in (f"--{name}", str(value))]
    return Valkey(folder / f"valkey-{port}", *words)
