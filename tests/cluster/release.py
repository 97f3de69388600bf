"""One installed release, seen by its users."""

from __future__ import annotations

import base64
import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.cluster.kubernetes import Manifest, Namespace, run, tool, until

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "parley"
SAMPLE = ROOT / "services" / "client" / "parley" / "sample" / "conversation.flac"
VALUES = Path(__file__).parent / "values.yaml"
IMAGES = ROOT / "build" / "images" / "values.yaml"  # written by `make images`
TERMINAL = frozenset({"succeeded", "failed", "cancelled"})
UPLOADS = 8  # submits at a time
OUTAGE_SECONDS = 120


class Release:
    """A Helm release of Parley in one namespace.

    Args:
        secure: the API speaks TLS, with a certificate of the authority that the chart has made.
    """

    def __init__(
        self, space: Namespace, name: str, chart: Path = CHART, images: Path = IMAGES, secure: bool = False
    ) -> None:
        self.space, self.name, self.chart, self._images, self._secure = space, name, chart, images, secure
        self.fullname = name if "parley" in name else f"{name}-parley"
        self._http: httpx.Client | None = None

    def helm(self, verb: str, *arguments: str, values: Manifest | None = None, chart: bool = True) -> str:
        command = [tool("helm"), verb, self.name, *([str(self.chart)] if chart else [])]
        command += ["--namespace", self.space.name]
        if chart:
            command += ["--values", str(VALUES), "--values", str(self._images), "--values", "-"]
        return run(*command, *arguments, given=yaml.safe_dump(values or {}), seconds=600)

    def install(self, values: Manifest | None = None, *arguments: str) -> str:
        return self.helm("upgrade", "--install", *arguments, values=values)

    def worker(self, name: str) -> str:
        """Return the label selector of one entry of workers."""
        return f"app.kubernetes.io/instance={self.name},parley/worker={name}"

    def component(self, name: str) -> str:
        return f"app.kubernetes.io/instance={self.name},app.kubernetes.io/component={name}"

    @property
    def key(self) -> str:
        return self.space.secret(f"{self.fullname}-api-keys", "default-key")

    @property
    def http(self) -> httpx.Client:
        """A client of the API at the address of its Service, as in a pod."""
        if self._http is None:
            service = self.space.get("service", f"{self.fullname}-api")["spec"]
            url = f"{'https' if self._secure else 'http'}://{service['clusterIP']}:{service['ports'][0]['port']}"
            headers = {"Authorization": f"Bearer {self.key}"}
            limits = httpx.Limits(max_keepalive_connections=0)
            transport = httpx.HTTPTransport(verify=self._authority() if self._secure else True, limits=limits)
            self._http = httpx.Client(base_url=url, headers=headers, timeout=60, transport=transport)
        return self._http

    def _authority(self) -> ssl.SSLContext:
        """Return what trusts the release's own authority alone. The certificate names the Service, not its address."""
        trusted = ssl.create_default_context(cadata=self.space.secret(f"{self.fullname}-tls-api", "ca.crt"))
        trusted.check_hostname = False
        return trusted

    def wait_for_api(self, seconds: float = 120) -> None:
        until("the API is ready", seconds, self.is_ready, every=0.5)

    def is_ready(self) -> bool:
        try:
            return self.http.get("/readyz").status_code == 200
        except httpx.HTTPError:
            return False

    def submit(self, audio: bytes, queue: str = "interactive") -> str:
        answer = self.http.post("/v1/jobs", files={"audio": ("a.flac", audio)}, data={"queue": queue})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def submit_many(self, count: int, audio: bytes, queue: str) -> list[str]:
        with ThreadPoolExecutor(UPLOADS) as pool:
            return list(pool.map(lambda _: self.submit(audio, queue), range(count)))

    def job(self, job_id: str) -> Manifest:
        """Return the record. Asks again while a part that a test has killed restarts."""
        answer = until("the record can be read", OUTAGE_SECONDS, lambda: self._ask(f"/v1/jobs/{job_id}"))
        assert answer.status_code == 200, answer.text
        job: Manifest = answer.json()
        return job

    def _ask(self, path: str) -> httpx.Response | None:
        try:
            answer = self.http.get(path)
        except httpx.TransportError:
            return None
        return None if answer.status_code == 503 else answer

    def finish(self, ids: list[str], seconds: float) -> list[Manifest]:
        """Return the records of the jobs once all are terminal."""
        open_ids = set(ids)

        def look() -> bool:
            for job_id in list(open_ids):
                if self.job(job_id)["state"] in TERMINAL:
                    open_ids.discard(job_id)
            return not open_ids

        until(f"{len(ids)} jobs end", seconds, look, every=1.0)
        return [self.job(job_id) for job_id in ids]

    def turns(self, job_id: str) -> list[Any]:
        answer = self.http.get(f"/v1/jobs/{job_id}/turns")
        assert answer.status_code == 200, answer.text
        turns: list[Any] = answer.json()["turns"]
        return turns

    def redis(self, *command: str, user: str = "keeper") -> str:
        """Return the answer of Redis to one of the users of the release."""
        password = self.space.secret(f"{self.fullname}-redis", f"{user}-password")
        login = ["env", f"REDISCLI_AUTH={password}", "redis-cli", "--user", user, "--no-auth-warning"]
        return self.space.kubectl("exec", f"{self.fullname}-redis-0", "--", *login, *command).strip()

    def password_fingerprint(self) -> str:
        """Return all generated Secrets as one text, to compare."""
        secrets = [
            self.space.get("secret", f"{self.fullname}-{part}")["data"]
            for part in ("redis", "api-keys", "objects", "flower")
        ]
        return base64.b64encode(yaml.safe_dump(secrets).encode()).decode()
