"""Three Valkeys and three Sentinels, where a proxy in front of each Valkey can cut it off from the other servers."""

from __future__ import annotations

from pathlib import Path

from chaos.proxy import Network
from tests.support.api_process import free_port
from tests.support.sentinels import Sentinels, server_of
from tests.support.valkey import Valkey


class ProxiedSentinels(Sentinels):
    """Servers announce the port of their proxy, so replicas, Sentinels and clients all come through it."""

    def __init__(self, folder: Path) -> None:
        self._real_ports: dict[int, int] = {}
        self._networks: dict[int, Network] = {}
        super().__init__(folder)

    def _server(self, folder: Path, port: int) -> Valkey:
        self._real_ports[port] = free_port()
        announced = {"replica-announce-ip": "127.0.0.1", "replica-announce-port": port}
        return server_of(folder, self._real_ports[port], announced)

    def start(self) -> None:
        self._networks = {port: Network(port, real) for port, real in self._real_ports.items()}
        super().start()

    def cut_off(self, port: int) -> None:
        """Let no byte pass between this server and other servers or Sentinels. Clients still reach it."""
        self._networks[port].send("no-peers")

    def reconnect(self, port: int) -> None:
        self._networks[port].send("pass")

    def stop(self) -> None:
        super().stop()
        for network in self._networks.values():
            network.stop()
