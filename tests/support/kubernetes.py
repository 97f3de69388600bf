"""A real Kubernetes API without nodes: etcd and kube-apiserver on ports of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.api_process import free_port
from tests.support.certificates import CERTIFICATE, KEY, Authority
from tests.support.waiting import HANG_SECONDS, until

PROGRAMS = ("etcd", "kube-apiserver")
BUILT = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
TOKEN = "administrator"  # of a server that lives as long as a test


def programs() -> dict[str, str]:
    """Return the programs by name: those on PATH, or those of the development cluster; empty where one is missing."""
    folders = [str(folder) for folder in sorted(BUILT.glob("dev-cluster*/bin"))]
    path = os.pathsep.join([os.environ["PATH"], *folders])
    found = {name: shutil.which(name, path=path) for name in PROGRAMS}
    return {name: place for name, place in found.items() if place} if all(found.values()) else {}


class KubernetesApi:
    """The API server; `http` asks it as an administrator."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port, self._etcd = folder, free_port(), free_port()
        self._processes: list[subprocess.Popen[bytes]] = []
        Authority().sign(folder / "tls")
        key = rsa.generate_private_key(65537, 2048)
        (folder / "accounts.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
            )
        )
        (folder / "tokens.csv").write_text(f'{TOKEN},administrator,1,"system:masters"\n')
        self.http = httpx.Client(
            base_url=f"https://127.0.0.1:{self._port}",
            verify=False,  # its certificate is of this test
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=HANG_SECONDS,
        )

    def start(self) -> None:
        """Start both, and wait until the API is ready."""
        found, peer = programs(), free_port()
        client = f"http://127.0.0.1:{self._etcd}"
        self._run(
            found["etcd"],
            f"--data-dir={self._folder}/etcd",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            "--unsafe-no-fsync",
        )
        self._run(
            found["kube-apiserver"],
            f"--etcd-servers={client}",
            f"--secure-port={self._port}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            f"--tls-cert-file={self._folder}/tls/{CERTIFICATE}",
            f"--tls-private-key-file={self._folder}/tls/{KEY}",
            f"--token-auth-file={self._folder}/tokens.csv",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://test",
            f"--service-account-key-file={self._folder}/accounts.key",
            f"--service-account-signing-key-file={self._folder}/accounts.key",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--disable-admission-plugins=ServiceAccount",
        )
        until(self._is_ready, what=f"see the logs in {self._folder}")

    def _run(self, *command: str) -> None:
        with (self._folder / f"{Path(command[0]).name}.log").open("wb") as log:
            self._processes.append(subprocess.Popen(command, stdout=log, stderr=log))

    def _is_ready(self) -> bool:
        try:
            return self.http.get("/readyz").is_success
        except httpx.TransportError:
            return False

    def create(self, path: str, body: dict[str, Any]) -> None:
        """Create an object. Raises httpx.HTTPStatusError with what the server said."""
        answer = self.http.post(path, json=body)
        assert answer.is_success, answer.text

    def stop(self) -> None:
        self.http.close()
        for process in reversed(self._processes):
            process.kill()
            process.wait(HANG_SECONDS)
