"""The pods of mode sentinel: the chart's scripts, configuration and access lists on real servers and Sentinels."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from parley_core.secret_files import with_password, with_sentinel_password
from tests.chart.rendering import Manifest, environment, render
from tests.support.access_lists import write_access_lists
from tests.support.api_process import free_port
from tests.support.certificates import Authority
from tests.support.waiting import HANG_SECONDS, until

SCRIPTS = ("start-redis.sh", "start-sentinel.sh")
FOLLOW_SECONDS = "1"  # between two looks at the certificate


class Pod:
    """A server and a Sentinel, started by the chart's scripts on an address of their own."""

    def __init__(self, service: Service, number: int) -> None:
        self.host, self._folder = service.hosts[number], service.folder / f"pod-{number}"
        self._service = service
        self._running: list[subprocess.Popen[bytes]] = []
        self.data, self.certificate = self._folder / "data", self._folder / "tls"
        self.data.mkdir(parents=True)
        self.configure()

    def configure(self) -> None:
        """Write what the release mounts."""
        write_access_lists(self._service.config, self._service.secret, self._folder)
        for name, text in self._service.config.items():
            self._write("config", name, text)
        for role in ("probe", "replica", "sentinel"):
            self._write("own", f"{role}-password", self._service.secret[f"{role}-password"])
        self.renew()

    def renew(self) -> None:
        """Write a certificate, where the release has TLS."""
        if self._service.authority:
            self._service.authority.sign(self.certificate, [self.host])

    def start_again(self) -> None:
        """Start the containers that have ended, as Kubernetes does."""
        for number, (process, script) in enumerate(zip(self._running, SCRIPTS, strict=True)):
            if process.poll() is not None:
                self._running[number] = self._script(script)

    def _write(self, folder: str, name: str, text: str) -> None:
        """Write a file of the chart with ports and folders of this test."""
        text = text.replace("26379", str(self._service.sentinel_port)).replace("6379", str(self._service.port))
        text = text.replace("/run/parley", str(self._folder / "lists"))
        text = text.replace("/etc/parley", str(self._folder)).replace("/data", str(self._folder / "data"))
        if name == "redis.conf":
            text += f"bind {self.host}\n"
        text = text.replace('echo "dir ', f'echo "bind {self.host}"; echo "dir ')
        (self._folder / folder).mkdir(exist_ok=True)
        (self._folder / folder / name).write_text(text)

    def start(self) -> None:
        self._running = [self._script(script) for script in SCRIPTS]

    def _script(self, name: str) -> subprocess.Popen[bytes]:
        variables = {
            "PATH": f"{self._service.folder}/bin:{os.environ['PATH']}",
            "HOST": self.host,
            "HOSTS": " ".join(self._service.hosts),
            "FIRST": self._service.hosts[0],
            "POD": f"redis-{self._service.hosts.index(self.host)}",
            "FOLLOW_SECONDS": FOLLOW_SECONDS,
        }
        with (self._folder / f"{name}.log").open("ab") as log:
            command = ["sh", str(self._folder / "config" / name)]
            return subprocess.Popen(command, env=variables, stdout=log, stderr=log)

    def kill(self) -> None:
        for process in self._running:
            process.send_signal(signal.SIGKILL)
            process.wait(HANG_SECONDS)

    def stop(self) -> None:
        """Stop as Kubernetes does: first the hook, then SIGTERM."""
        assert self._script("step-down.sh").wait(HANG_SECONDS) == 0
        for process in self._running:
            process.terminate()
            process.wait(HANG_SECONDS)


class Service:
    """The three pods.

    Args:
        values: of the chart.
        server: the program of Redis or Valkey.
        authority: signs the certificates of a release with TLS.
    """

    def __init__(self, folder: Path, values: Manifest, server: Path, authority: Authority | None = None) -> None:
        self.folder = folder
        self.secret: dict[str, str] = render(values).one("Secret", "-redis")["stringData"]
        self.upgrade(values, authority)
        self.port, self.sentinel_port = free_port(), free_port()
        network = os.getpid() % 250 + 1
        self.hosts = [f"127.{network}.0.{number}" for number in (1, 2, 3)]
        (folder / "bin").mkdir()
        (folder / "bin/redis-server").symlink_to(server.resolve())
        self.pods = {host: Pod(self, number) for number, host in enumerate(self.hosts)}

    def upgrade(self, values: Manifest, authority: Authority | None) -> None:
        """Take other values of the chart; each pod runs with them once it is configured again."""
        rendered, self.authority = render(values), authority
        self.config: dict[str, str] = rendered.one("ConfigMap", "-redis-config")["data"]
        self._url = environment(rendered.pods()["release-parley-api"])["PARLEY_REDIS_URL"]

    def start(self) -> None:
        """Start the pods, and wait until they know each other."""
        for pod in self.pods.values():
            pod.start()
        until(self.whole)

    def url(self, role: str) -> str:
        """Return the address that the chart gives a role, with the passwords and the addresses of this test."""
        url = with_password(self._url.replace("//api@", f"//{role}@"), self.secret[f"{role}-password"])
        url = with_sentinel_password(url, self.secret["client-password"])
        for number, host in enumerate(self.hosts):
            url = re.sub(rf"release-parley-redis-ha-{number}[^:]*:26379", f"{host}:{self.sentinel_port}", url)
        return url

    def sentinel(self, host: str, user: str = "client") -> Any:
        password = self.secret[f"{user}-password"]
        login: dict[str, Any] = {"username": user, "password": password, "socket_timeout": 2}
        if self.authority:
            login |= {"ssl": True, "ssl_ca_certs": str(self.pods[host].certificate / "ca.crt")}
        return Redis(host, self.sentinel_port, **login)

    def primary(self) -> str:
        """Return the host of the primary, as a Sentinel says that answers."""
        for host in self.hosts:
            try:
                found: str = self.sentinel(host).sentinel_get_master_addr_by_name("parley")[0].decode()
            except RedisError:
                continue
            return found
        return ""

    def whole(self) -> bool:
        """Whether every Sentinel knows both others and two replicas that follow."""
        try:
            states = [self.sentinel(host).sentinel_masters()["parley"] for host in self.hosts]
            slaves = self.sentinel(self.hosts[0]).sentinel_slaves("parley")
        except (RedisError, KeyError):
            return False
        following = [slave for slave in slaves if slave["master-link-status"] == "ok" and not slave["is_disconnected"]]
        return len(following) == 2 and all((s["num-slaves"], s["num-other-sentinels"]) == (2, 2) for s in states)
