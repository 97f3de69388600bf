"""`make observe`: `make run`, watched by Prometheus, Alertmanager and a collector of traces; a page of objectives."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import yaml

from tools.observability import dashboards, page, rules
from tools.observability.answers import Answers

SCRAPE_SECONDS = 5
STOP_SECONDS = 40.0  # a worker gives its jobs back meanwhile
INHIBITION = rules.ROOT / "charts" / "parley" / "files" / "inhibition.yaml"
MISSING = (
    "make observe needs {name}, which is not on PATH. Debian: apt install prometheus prometheus-alertmanager.\n"
    "Or `make chart-tools`, which installs them for this user."
)


def program(*names: str) -> str:
    """Return the first of these programs on PATH. Exits with what to do if there is none."""
    for name in names:
        found = shutil.which(name)
        if found:
            return found
    sys.exit(MISSING.format(name=names[0]))


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def prometheus_configuration(targets: list[str], alertmanager: str) -> dict[str, Any]:
    """Return the configuration of Prometheus: these addresses, the rules of the chart."""
    scraped = {"job_name": "parley", "static_configs": [{"targets": targets, "labels": rules.LABELS}]}
    return {
        "global": {"scrape_interval": f"{SCRAPE_SECONDS}s", "evaluation_interval": f"{SCRAPE_SECONDS}s"},
        "rule_files": [str(rules.FILE)],
        "scrape_configs": [scraped],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
    }


def alertmanager_configuration() -> dict[str, Any]:
    """Return a configuration that tells nobody: its page shows the alerts, and which of them it holds back."""
    inhibited = []
    for entry in yaml.safe_load(INHIBITION.read_text()):
        source, target = [f'alertname=~"{entry["causes"]}"'], [f'alertname=~"{entry["effects"]}"']
        for matchers, severity in zip((source, target), entry.get("severities", ()), strict=False):
            matchers.append(f'severity="{severity}"')
        equal = ["namespace", "release", *entry.get("equal", ())]
        inhibited.append({"source_matchers": source, "target_matchers": target, "equal": equal})
    route = {"receiver": "nobody", "group_by": ["namespace", "release", "alertname"]}
    return {"route": route, "receivers": [{"name": "nobody"}], "inhibit_rules": inhibited}


def collector_configuration(folder: Path, endpoint: str, logs: Path) -> dict[str, Any]:
    """Return the configuration of a collector that writes traces and the lines of logs to files, as OTLP in JSON."""
    exporters = {
        f"file/{name}": {"path": f"{folder}/{name}.json", "rotation": {"max_megabytes": 20, "max_backups": 1}}
        for name in ("traces", "logs")
    }
    parsed = {
        "type": "json_parser",
        "if": 'body startsWith "{"',
        "severity": {"parse_from": "attributes.level"},
        "trace": {"trace_id": {"parse_from": "attributes.trace_id"}},
    }
    receivers = {
        "otlp": {"protocols": {"http": {"endpoint": endpoint}}},
        "filelog": {"include": [f"{logs}/*.log"], "operators": [parsed]},
    }
    pipelines = {
        "traces": {"receivers": ["otlp"], "exporters": ["file/traces"]},
        "logs": {"receivers": ["filelog"], "exporters": ["file/logs"]},
    }
    service = {"pipelines": pipelines, "telemetry": {"metrics": {"level": "none"}}}
    return {"receivers": receivers, "exporters": exporters, "service": service}


def start_collector(stack: ExitStack, folder: Path, logs: Path) -> dict[str, str]:
    """Start a collector, where one is on PATH; return the variables that make the keeper send its traces there."""
    command = shutil.which("otelcol")
    if command is None:
        print("Traces       off: `make chart-tools` installs an OpenTelemetry collector")
        return {}
    endpoint = f"127.0.0.1:{free_port()}"
    configuration = folder / "otelcol.yml"
    configuration.write_text(yaml.safe_dump(collector_configuration(folder, endpoint, logs)))
    start(stack, [command, f"--config={configuration}"], folder / "otelcol.log")
    print(f"Traces       {folder}/traces.json\nLogs         {folder}/logs.json")
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{endpoint}"}


def start(stack: ExitStack, command: list[str], log: Path | None = None, **environment: str) -> subprocess.Popen[bytes]:
    """Start a process that ends with the stack: SIGTERM, and SIGKILL when it takes too long."""
    output = stack.enter_context(log.open("wb")) if log else None
    process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **environment})

    def stop() -> None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    stack.callback(stop)
    return process


def serve_page(answers: Answers, port: int) -> ThreadingHTTPServer:
    """Serve the dashboards on loopback from a thread."""
    boards = {f"/{board.uid}": board for board in dashboards.BOARDS} | {"/": dashboards.BOARDS[0]}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            board = boards.get(self.path)
            if board is None:
                self.send_error(404)
                return
            body = page.render(board, answers).encode()
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """The page asks every few seconds."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    return server


def main() -> int:
    """Run until Ctrl-C or SIGTERM; return the exit code of `make run`."""
    programs = program("prometheus"), program("prometheus-alertmanager", "alertmanager")
    home = Path(os.environ.get("PARLEY_HOME", ".parley")).absolute()
    folder = home / "observe"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    keeper, worker, prometheus, alertmanager = (f"127.0.0.1:{free_port()}" for _ in range(4))
    api = f"127.0.0.1:{os.environ.get('PARLEY_PORT', '7001')}"
    watched = prometheus_configuration([api, keeper, worker], alertmanager)
    (folder / "prometheus.yml").write_text(yaml.safe_dump(watched))
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(alertmanager_configuration()))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with ExitStack() as stack:
        answers = stack.enter_context(Answers(f"http://{prometheus}", rules.LABELS))
        server = serve_page(answers, int(os.environ.get("PARLEY_OBSERVE_PORT", "7005")))
        stack.callback(server.shutdown)
        traced = {} if "OTEL_EXPORTER_OTLP_ENDPOINT" in os.environ else start_collector(stack, folder, home / "logs")
        command = [programs[0], f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
        command.append("--enable-feature=exemplar-storage")
        start(stack, [*command, f"--web.listen-address={prometheus}"], folder / "prometheus.log")
        command = [programs[1], f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/alertmanager"]
        command += [f"--web.listen-address={alertmanager}", "--cluster.listen-address="]
        start(stack, command, folder / "alertmanager.log")
        print(f"Objectives   http://127.0.0.1:{server.server_port}")
        print(f"Prometheus   http://{prometheus}\nAlertmanager http://{alertmanager}", flush=True)
        run = [sys.executable, "-m", "parley_local", "run"]
        try:
            ports = {"PARLEY_KEEPER_PORT": keeper, "PARLEY_WORKER_METRICS_PORT": worker}
            return start(stack, run, **traced, **{name: one.partition(":")[2] for name, one in ports.items()}).wait()
        except KeyboardInterrupt:
            return 0


if __name__ == "__main__":
    sys.exit(main())
