"""The keeper's state for probes and for Prometheus: a liveness file, `/healthz` and `/metrics`."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from parley_core.exposition import serve_wsgi
from parley_core.settings import Settings
from parley_keeper.loop import MaintenanceTask

STUCK_SECONDS = 120.0  # without progress, on top of the task's pause: every call that a task makes has a timeout
TOUCH_SECONDS = 2.0

Gauges = Callable[[], Iterable[Metric]]


def is_well(tasks: Sequence[MaintenanceTask]) -> bool:
    """Say whether every task makes progress. A failing task does: a restart would not bring Redis back."""
    return all(idle_seconds(task) < task.every + STUCK_SECONDS for task in tasks)


def idle_seconds(task: MaintenanceTask) -> float:
    """Seconds since the task's last sign of progress."""
    return time.monotonic() - task.progress_at


def lag_seconds(task: MaintenanceTask) -> float:
    """Seconds for which the task has been overdue."""
    return max(0.0, time.monotonic() - task.done_at - task.every)


class TaskCollector(Collector):
    """The tasks' state as metrics; `more` adds what single tasks have found."""

    def __init__(self, tasks: Sequence[MaintenanceTask], more: Gauges) -> None:
        self._tasks, self._more = tasks, more

    def collect(self) -> Iterator[Metric]:
        families = (
            (GaugeMetricFamily, "round_age_seconds", "Seconds since a task's last progress.", idle_seconds),
            (GaugeMetricFamily, "lag_seconds", "Seconds for which a task has been overdue.", lag_seconds),
            (CounterMetricFamily, "rounds", "Rounds of a task.", lambda task: task.rounds),
            (CounterMetricFamily, "failures", "Rounds of a task that failed.", lambda task: task.failures),
            (CounterMetricFamily, "items_done", "Items that a task has dealt with.", lambda task: task.items_done),
        )
        for family, name, text, value in families:
            metric: Any = family(f"parley_keeper_{name}", text, labels=["task"])
            for task in self._tasks:
                metric.add_metric([task.name], value(task))
            yield metric
        yield from self._more()


def touch_while_well(tasks: Sequence[MaintenanceTask], file: Path) -> None:
    """Touch the liveness file from a thread of its own, for as long as the keeper is well."""

    def run() -> None:
        while True:
            if is_well(tasks):
                file.touch()
            time.sleep(TOUCH_SECONDS)

    threading.Thread(target=run, name="liveness file", daemon=True).start()


def serve(
    tasks: Sequence[MaintenanceTask], listening: socket.socket, settings: Settings, more: Gauges = lambda: ()
) -> WSGIServer:
    """Answer `/healthz` and `/metrics` from a thread. Raises UnsafeSettings: the certificate cannot be used."""
    registry = CollectorRegistry()
    registry.register(TaskCollector(tasks, more))
    metrics: Any = make_wsgi_app(registry)

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/metrics":
            return list(metrics(environ, start_response))
        status, body = _health(tasks) if environ["PATH_INFO"] == "/healthz" else (HTTPStatus.NOT_FOUND, {})
        start_response(f"{status.value} {status.phrase}", [("Content-Type", "application/json")])
        return [json.dumps(body).encode()]

    return serve_wsgi(app, listening, settings)


def _health(tasks: Sequence[MaintenanceTask]) -> tuple[HTTPStatus, dict[str, Any]]:
    details = {
        task.name: {"round_age_seconds": round(idle_seconds(task), 1), "lag_seconds": round(lag_seconds(task), 1)}
        for task in tasks
    }
    if is_well(tasks):
        return HTTPStatus.OK, {"status": "ok", "tasks": details}
    return HTTPStatus.SERVICE_UNAVAILABLE, {"status": "stuck", "tasks": details}
