"""A real Prometheus scrapes a real API and keeper, and every panel of the dashboard has data."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from parley_core.job import Queue
from parley_core.settings import Settings
from tests.chart.rendering import tool
from tests.chart.test_monitoring import queries
from tests.support.api_process import ApiProcess, free_port
from tests.support.valkey import Valkey
from tests.support.waiting import until
from tests.support.worker import System, running_system

LABELS = {"namespace": "space", "release": "release"}  # added by the monitors
SCRAPES = 5


class Prometheus:
    """One Prometheus that scrapes these addresses every second."""

    def __init__(self, folder: Path, targets: list[str]) -> None:
        job = {"job_name": "parley", "static_configs": [{"targets": targets, "labels": LABELS}]}
        (folder / "prometheus.yml").write_text(
            yaml.safe_dump({"global": {"scrape_interval": "1s"}, "scrape_configs": [job]})
        )
        address = f"127.0.0.1:{free_port()}"
        command = [tool("prometheus"), f"--web.listen-address={address}"]
        command += [f"--storage.tsdb.path={folder}/data", f"--config.file={folder}/prometheus.yml"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._http = httpx.Client(base_url=f"http://{address}")

    def query(self, expression: str) -> list[Any]:
        """Return the current series of an expression; none while Prometheus starts."""
        try:
            answer = self._http.get("/api/v1/query", params={"query": expression})
        except httpx.TransportError:
            return []
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            return []
        series: list[Any] = answer.raise_for_status().json()["data"]["result"]
        return series

    def stop(self) -> None:
        self._http.close()
        self._process.kill()
        self._process.wait(10)


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Settings]:
    """Settings of a Valkey with a memory limit, as in the chart."""
    server = Valkey(tmp_path / "valkey", "--maxmemory", "100mb")
    server.start()
    yield Settings(redis_url=server.url, objects_url=f"file://{tmp_path}/objects")
    server.stop()


def work(system: System, api: ApiProcess) -> None:
    """Create data for every panel: jobs that run, wait and end, and requests."""
    ids = [system.submit() for _ in range(2)]
    for job_id in ids:
        system.wait_for_end(job_id)
    api.http.get("/v1/jobs").raise_for_status()
    time.sleep(1)


def test_every_panel_has_data(limited: Settings, tmp_path: Path) -> None:
    port = free_port()
    with running_system(limited, tmp_path) as system, ApiProcess(limited, tmp_path / "api.log") as api:
        system.keeper(PARLEY_KEEPER_PORT=port)
        system.worker(PARLEY_SCRIPTED_SECONDS=0.2, PARLEY_QUEUES="interactive")
        system.submit(Queue.BATCH)  # no worker serves this queue, so the job stays
        prometheus = Prometheus(tmp_path, [f"127.0.0.1:{api.port}", f"127.0.0.1:{port}"])
        try:
            until(lambda: len(prometheus.query("up == 1")) == 2, what="both targets are scraped")
            for _ in range(SCRAPES):
                work(system, api)
            empty = [where for where, query in queries().items() if not prometheus.query(concrete(query))]
            waiting = prometheus.query('parley_queue_unfinished{queue="batch"}')
        finally:
            prometheus.stop()
    assert empty == []
    assert [series["value"][1] for series in waiting] == ["1"]


def concrete(query: str) -> str:
    """Return the query with the variables of the dashboard replaced, and without the filter of zeros."""
    for name, value in LABELS.items():
        query = query.replace(f"${name}", value)
    return query.replace("$__rate_interval", "10s").removesuffix(" > 0")
