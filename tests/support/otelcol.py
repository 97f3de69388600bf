"""The OpenTelemetry collector itself (Go): it takes OTLP, reads log files, and writes what it gets to files."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from tests.support.api_process import free_port
from tests.support.collector import Collector, Span, decoded
from tests.support.waiting import until

NAME = "otelcol"
FLUSH_SECONDS = 0.05


def missing_collector() -> str:
    """Return what to do where the collector is not on PATH; empty where it is."""
    return "" if shutil.which(NAME) else f"{NAME} is not on PATH: `make chart-tools` installs it"


class OtelCollector(Collector):
    """Runs a collector for the duration of the context.

    Args:
        folder: for its configuration, its own log and what it has taken.
        filelog: settings of its reader of log files.
    """

    def __init__(self, folder: Path, filelog: Mapping[str, Any] | None = None) -> None:
        super().__init__(port=free_port())
        folder.mkdir(parents=True, exist_ok=True)
        self._traces, self._logs, self._log = folder / "traces", folder / "logs", folder / f"{NAME}.log"
        self._configuration = folder / f"{NAME}.yaml"
        self._configuration.write_text(yaml.safe_dump(self._configured(filelog)))

    def _configured(self, filelog: Mapping[str, Any] | None) -> Mapping[str, Any]:
        written = {"format": "proto", "flush_interval": f"{FLUSH_SECONDS}s"}
        exporters = {f"file/{path.name}": {"path": str(path), **written} for path in (self._traces, self._logs)}
        receivers: dict[str, Any] = {"otlp": {"protocols": {"http": {"endpoint": f"{self.host}:{self.port}"}}}}
        logs = ["otlp"]
        if filelog is not None:
            receivers["filelog"] = dict(filelog)
            logs.append("filelog")
        pipelines = {
            "traces": {"receivers": ["otlp"], "exporters": ["file/traces"]},
            "logs": {"receivers": logs, "exporters": ["file/logs"]},
        }
        telemetry = {"metrics": {"level": "none"}}
        service = {"pipelines": pipelines, "telemetry": telemetry}
        return {"receivers": receivers, "exporters": exporters, "service": service}

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            command = [NAME, f"--config={self._configuration}"]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        until(self._listens, what="the collector listens")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()

    def _listens(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()[-2000:]
        with suppress(OSError), socket.create_connection((self.host, self.port), 1):
            return True
        return False

    def spans(self) -> list[Span]:
        """Every span that it has taken, in the order of arrival."""
        time.sleep(2 * FLUSH_SECONDS)
        return [span for message in _messages(self._traces) for span in decoded({}, message)]

    def log_records(self) -> list[LogRecord]:
        """Every log record that it has taken or read."""
        requests = [ExportLogsServiceRequest.FromString(message) for message in _messages(self._logs)]
        groups = [group for request in requests for group in request.resource_logs]
        return [record for group in groups for scope in group.scope_logs for record in scope.log_records]


def _messages(path: Path) -> list[bytes]:
    """Return the messages of a file: the length of each is in the four bytes before it."""
    data, found = path.read_bytes() if path.exists() else b"", []
    while len(data) >= 4 + (size := int.from_bytes(data[:4])):
        found.append(data[4 : 4 + size])
        data = data[4 + size :]
    return found
