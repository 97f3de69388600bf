"""A real Prometheus that scrapes processes of this machine, and answers queries."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.support.api_process import free_port
from tests.support.waiting import HANG_SECONDS, until

LABELS: Mapping[str, str] = {"namespace": "space", "release": "release"}  # added by the monitors


class Prometheus:
    """One Prometheus that scrapes these addresses and evaluates these groups of rules every second.

    Args:
        scraped: further `scrape_configs`.
    """

    def __init__(
        self,
        program: str,
        folder: Path,
        targets: Sequence[str],
        groups: Sequence[Any] = (),
        alertmanager: str = "",
        scraped: Sequence[Any] = (),
    ) -> None:
        rules = [group | {"interval": "1s"} for group in groups]
        (folder / "rules.yml").write_text(yaml.safe_dump({"groups": rules}))
        (folder / "prometheus.yml").write_text(yaml.safe_dump(_configuration(targets, alertmanager, scraped)))
        address = f"127.0.0.1:{free_port()}"
        command = [program, f"--web.listen-address={address}", f"--storage.tsdb.path={folder}/data"]
        command += [f"--config.file={folder}/prometheus.yml", "--alertmanager.notification-queue-capacity=100"]
        self._log = folder / "prometheus.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self.url = f"http://{address}"
        self._http = httpx.Client(base_url=self.url, timeout=HANG_SECONDS)

    def wait_until_it_answers(self) -> None:
        until(self._is_ready, what="Prometheus does not answer")

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()[-2000:]
        try:
            return self._http.get("/-/ready").is_success
        except httpx.TransportError:
            return False

    def query(self, expression: str) -> list[Any]:
        """Return the current series of an expression. Raises httpx.HTTPStatusError if Prometheus refuses it."""
        answer = self._http.get("/api/v1/query", params={"query": expression})
        series: list[Any] = answer.raise_for_status().json()["data"]["result"]
        return series

    def label_values(self, label: str, *selectors: str) -> list[str]:
        """Return the values of a label among the series that a selector matches."""
        answer = self._http.get(f"/api/v1/label/{label}/values", params={"match[]": selectors})
        values: list[str] = answer.raise_for_status().json()["data"]
        return values

    def stop(self) -> None:
        self._http.close()
        self._process.kill()
        self._process.wait(HANG_SECONDS)


def _configuration(targets: Sequence[str], alertmanager: str, scraped: Sequence[Any]) -> dict[str, Any]:
    job = {"job_name": "parley", "static_configs": [{"targets": list(targets), "labels": dict(LABELS)}]}
    found: dict[str, Any] = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "scrape_configs": [job, *scraped],
        "rule_files": ["rules.yml"],
    }
    if alertmanager:
        found["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
    return found
