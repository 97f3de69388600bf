"""How the keeper is: a heartbeat file, and `/healthz` and `/metrics` over HTTP."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from parley_keeper.loop import MaintenanceTask

STUCK_SECONDS = 120.0  # a round that takes so long, over its own pause, is stuck: every call it makes has a timeout
BEAT_SECONDS = 2.0
METRICS = (
    ("parley_keeper_round_age_seconds", "gauge", "Seconds since a task's last round, done or failed."),
    ("parley_keeper_lag_seconds", "gauge", "Seconds since a task was last done, over its pause."),
    ("parley_keeper_rounds_total", "counter", "Rounds of a task."),
    ("parley_keeper_failures_total", "counter", "Rounds of a task that failed."),
    ("parley_keeper_items_done_total", "counter", "What a task put right."),
)


def is_well(tasks: Sequence[MaintenanceTask]) -> bool:
    """Say whether every task goes its rounds. Failing ones count: starting anew does not bring Redis back."""
    return all(round_age(task) < task.every + STUCK_SECONDS for task in tasks)


def round_age(task: MaintenanceTask) -> float:
    """Seconds since the task's last round."""
    return time.monotonic() - task.tried_at


def lag(task: MaintenanceTask) -> float:
    """Seconds for which the task has been overdue."""
    return max(0.0, time.monotonic() - task.done_at - task.every)


def as_json(tasks: Sequence[MaintenanceTask]) -> dict[str, Any]:
    """Return the health as `/healthz` shows it."""
    return {
        "status": "ok" if is_well(tasks) else "stuck",
        "tasks": {
            task.name: {"round_age_seconds": round(round_age(task), 1), "lag_seconds": round(lag(task), 1)}
            for task in tasks
        },
    }


def as_metrics(tasks: Sequence[MaintenanceTask]) -> str:
    """Return Prometheus text."""
    lines = []
    for name, kind, meaning in METRICS:
        lines += [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]
        lines += [f'{name}{{task="{task.name}"}} {_values(task)[name]:.10g}' for task in tasks]
    return "\n".join(lines) + "\n"


def _values(task: MaintenanceTask) -> dict[str, float]:
    values = (round_age(task), lag(task), task.rounds, task.failures, task.items_done)
    return {name: float(value) for (name, _, _), value in zip(METRICS, values, strict=True)}


def beat(tasks: Sequence[MaintenanceTask], file: Path) -> None:
    """Touch the file for as long as the keeper is well, from a thread of its own."""

    def go_on() -> None:
        while True:
            if is_well(tasks):
                file.touch()
            time.sleep(BEAT_SECONDS)

    threading.Thread(target=go_on, name="beat", daemon=True).start()


def serve(tasks: Sequence[MaintenanceTask], host: str, port: int) -> ThreadingHTTPServer:
    """Answer `/healthz` and `/metrics` from a thread; port 0 takes a free one."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the standard library's name
            if self.path == "/healthz":
                status = HTTPStatus.OK if is_well(tasks) else HTTPStatus.SERVICE_UNAVAILABLE
                self._answer(status, "application/json", json.dumps(as_json(tasks)))
            elif self.path == "/metrics":
                self._answer(HTTPStatus.OK, "text/plain; version=0.0.4; charset=utf-8", as_metrics(tasks))
            else:
                self._answer(HTTPStatus.NOT_FOUND, "text/plain", "")

        def _answer(self, status: HTTPStatus, media_type: str, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Probes come every few seconds; a line for each would bury the rest."""

    server = ThreadingHTTPServer((host, port), Handler)
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
