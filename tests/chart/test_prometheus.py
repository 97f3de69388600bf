"""A real Prometheus scrapes a real API and keeper: every panel has data, every metric that is named exists."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from parley_core.job import DEFAULT_TENANT, JobState, Queue
from parley_core.settings import Settings
from tests.chart.rendering import PROMETHEUS, render, tool
from tests.support.api_process import ApiProcess, free_port
from tests.support.certificates import make_certificate
from tests.support.collector import Collector
from tests.support.prometheus import LABELS, Prometheus
from tests.support.valkey import Valkey
from tests.support.waiting import until
from tests.support.worker import System, running_system
from tools.observability import dashboards, expressions, lint, page
from tools.observability.answers import Answers
from tools.reference import pages

KEY = "a key of the tests"
WITHOUT_DATA = {"overview: Alerts that fire A"}  # on a system that is well


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a Valkey with a memory limit, as in the chart."""
    folder = tmp_path_factory.mktemp("valkey")
    server = Valkey(folder, "--maxmemory", "100mb")
    server.start()
    yield Settings(redis_url=server.url, objects_url=f"file://{folder}/objects")
    server.stop()


@pytest.fixture(scope="module")
def prometheus(limited: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Prometheus with the rules of the chart, beside a system whose jobs succeed, fail, are retried and cancelled."""
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    found = render({}, PROMETHEUS).of("PrometheusRule")
    groups = [group for one in found for group in one["spec"]["groups"]]
    with (
        Collector() as collector,
        running_system(limited, folder) as system,
        ApiProcess(limited, folder / "api.log", **expiring(folder)) as api,
    ):
        api.http.headers["Authorization"] = f"Bearer {KEY}"
        system.keeper(PARLEY_KEEPER_PORT=port, **collector.environment)
        worker_port = free_port()
        system.worker(PARLEY_SCRIPTED_SECONDS=0.5, PARLEY_QUEUES="interactive", PARLEY_WORKER_METRICS_PORT=worker_port)
        system.submit(Queue.BATCH)  # no worker serves this queue, so the job stays
        targets = [
            f"127.0.0.1:{api.environment['PARLEY_METRICS_PORT']}",
            f"127.0.0.1:{port}",
            f"127.0.0.1:{worker_port}",
        ]
        server = Prometheus(tool("prometheus"), folder, targets, groups)
        try:
            server.wait_until_it_answers()
            until(lambda: len(server.query("up == 1")) == 3, what="all targets are scraped")
            for _ in range(2):
                work(system, api)
            yield server
        finally:
            server.stop()


def expiring(folder: Path) -> dict[str, str]:
    """Return the environment of an API with an API key and a certificate that expire."""
    hashed, ends = hashlib.sha256(KEY.encode()).hexdigest(), datetime.now(UTC) + timedelta(days=60)
    (folder / "keys").write_text(f"{DEFAULT_TENANT}:{hashed}::{ends:%Y-%m-%dT%H:%M:%SZ}\n")
    make_certificate(folder / "certificates" / "parley-tls", 60)
    return {
        "PARLEY_API_KEYS_FILE": str(folder / "keys"),
        "PARLEY_CERTIFICATES_FOLDER": str(folder / "certificates"),
        "PARLEY_METRICS_PORT": str(free_port()),
    }


def work(system: System, api: ApiProcess) -> None:
    """Create data for every panel: a job that succeeds, one that fails twice, one that is cancelled, and requests."""
    system.wait_for_end(system.submit())
    failing = system.upload()
    system.objects.put(failing.recording.key, b"no recording")
    job = system.store.create(failing).job
    system.publish(job)
    system.wait_for_end(job.id)
    api.http.post(f"/v1/jobs/{job.id}/retry").raise_for_status()
    system.wait_for_end(job.id)
    cancelled = system.submit()
    system.wait(cancelled, lambda job: job.state == JobState.RUNNING)
    api.http.post(f"/v1/jobs/{cancelled}/cancel").raise_for_status()
    assert api.http.get("/v1/jobs/nobody").status_code == 404
    api.http.get("/v1/jobs").raise_for_status()


def test_every_panel_has_data(prometheus: Prometheus) -> None:
    queries = lint.queries()

    def empty() -> set[str]:
        return {where for where, query in queries.items() if not has_data(prometheus.query(concrete(query)))}

    try:
        until(lambda: empty() == WITHOUT_DATA)
    except TimeoutError:
        assert empty() == WITHOUT_DATA
    (waiting,) = prometheus.query('parley_queue_unfinished{queue="batch"}')
    assert waiting["value"][1] == "1"


def has_data(series: list[Any]) -> bool:
    """Say whether any value is a number: a quantile of nothing is none."""
    return any(one["value"][1] != "NaN" for one in series)


def concrete(query: str) -> str:
    """Return the query with the variables of the dashboard replaced, and without the filter of zeros."""
    for name, value in LABELS.items():
        query = query.replace(f"${name}", value)
    return re.sub(r"\$__\w+", "1m", query).removesuffix(" > 0")


def test_the_pages_of_make_observe_show_every_panel(prometheus: Prometheus) -> None:
    with Answers(prometheus.url, LABELS) as answers:
        for board in dashboards.BOARDS:
            text = page.render(board, answers)
            assert "No answer" not in text
            shown = [panel.title for row in board.rows for panel in row.panels if panel.queries]
            assert all(title in text for title in shown if title not in ("Trace", "Log"))
    with Answers(prometheus.url, {"namespace": "no", "release": ""}) as answers:
        assert "nothing</p>" in page.render(dashboards.BOARDS[0], answers)


def test_the_variables_of_every_dashboard_have_values(prometheus: Prometheus) -> None:
    for board in dashboards.BOARDS:
        variables = json.loads(dashboards.path(board).read_text())["templating"]["list"]
        found = [variable["query"]["query"] for variable in variables if variable["type"] == "query"]
        assert len(found) == 2
        for query in found:
            selector, label = re.fullmatch(r"label_values\((.*), (\w+)\)", query).groups()  # type: ignore[union-attr]
            assert prometheus.label_values(label, concrete(selector)) == [LABELS[label]]


def test_the_reference_lists_what_is_scraped(prometheus: Prometheus) -> None:
    until(lambda: prometheus.query("parley_cancel_seconds_count > 0"), what="everything has been counted")
    rows = re.findall(r"^\| `(parley_\w+)` \| (\w+)", pages.path("metrics").read_text(), re.MULTILINE)
    documented = {f"{name}_bucket" if kind == "histogram" else name for name, kind in rows}
    scraped = set(prometheus.label_values("__name__", '{__name__=~"parley_.+"}'))
    parts = {f"{name}_{part}" for name, kind in rows if kind == "histogram" for part in ("sum", "count")}
    assert {name for name in scraped - parts if not name.endswith("_created")} == documented


def test_every_metric_of_alerts_objectives_and_dashboards_is_scraped(prometheus: Prometheus) -> None:
    named = {name for text in (lint.rules() | lint.queries()).values() for name, _ in expressions.selectors(text)}
    scraped = set(prometheus.label_values("__name__"))
    assert named - scraped == set()
