"""A real Prometheus beside the cluster: it finds the pods and the rules by the objects that the chart makes."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.kubernetes import Manifest, run, tool, until
from tests.cluster.release import IMAGES, VALUES, Release
from tests.support.prometheus import Prometheus

API = "monitoring.coreos.com/v1"
BUDGET = "slo:period_error_budget_remaining:ratio"
UNWATCHED: Manifest = {"networkPolicy": {"enabled": False}}  # this Prometheus is no pod, so no policy can let it in
SCRAPE_SECONDS = 2


class Watch:
    """What Prometheus knows of one release."""

    def __init__(self, prometheus: Prometheus, objectives: set[str], pods: int) -> None:
        self._prometheus, self.objectives, self._pods = prometheus, objectives, pods

    def wait_until_it_sees_all(self, pods: int | None = None) -> None:
        """Wait until so many pods are scraped, by default all of API and keeper, and each objective has a budget."""
        wanted = self._pods if pods is None else pods
        until("every pod is scraped", 120, lambda: self.number("sum(up)") >= wanted)
        until("every objective has a budget", 120, lambda: set(self.budgets()) == self.objectives)

    def number(self, expression: str) -> float:
        """Return the value of an expression with one series; -1 without one."""
        series = self._prometheus.query(expression)
        return float(series[0]["value"][1]) if series else -1.0

    def budgets(self) -> dict[str, float]:
        """Return the share of each objective's budget that is left: the least of its queues."""
        series = self._prometheus.query(f"min by (sloth_slo) ({BUDGET})")
        return {one["metric"]["sloth_slo"]: float(one["value"][1]) for one in series}

    def fired(self, severity: str) -> set[str]:
        """Return the names of the alerts of a severity that have fired since this Prometheus started."""
        selector = f'ALERTS{{alertname=~"Parley.+",alertstate="firing",severity="{severity}"}}'
        series = self._prometheus.query(f"count by (alertname) (count_over_time({selector}[2h]))")
        return {one["metric"]["alertname"] for one in series}

    def ends(self) -> int:
        """Return the number of jobs that have succeeded, as any pod of the API says."""
        return int(self.number("sum(max by (queue) (parley_jobs_succeeded_total))"))

    def attempts(self) -> int:
        """Return the attempts that count: without those that a planned stop gave back."""
        started, given_back = (
            self.number(f"sum(max by (queue) (parley_attempts_{what}_total))") for what in ("started", "given_back")
        )
        return max(0, int(started)) - max(0, int(given_back))


@contextmanager
def watched(release: Release, folder: Path, values: Manifest) -> Iterator[Watch]:
    """Watch a release that was installed with these values, for as long as the context lasts."""
    objects = rendered(release, values)
    groups = [group for one in objects if one["kind"] == "PrometheusRule" for group in one["spec"]["groups"]]
    monitors = [one for one in objects if one["kind"] == "PodMonitor"]
    rules = [rule for group in groups for rule in group["rules"]]
    objectives = {rule["labels"]["sloth_slo"] for rule in rules if rule.get("record") == BUDGET}
    pods = len(release.space.ready(release.component("api"))) + len(release.space.ready(release.component("keeper")))
    scraped = [scrape(monitor, folder) for monitor in monitors]
    prometheus = Prometheus(tool("prometheus"), folder, (), groups, scraped=scraped)
    stopped = threading.Event()
    discovery = threading.Thread(target=discover, args=(release, monitors, folder, stopped))
    discovery.start()
    try:
        prometheus.wait_until_it_answers()
        yield Watch(prometheus, objectives, pods)
    finally:
        stopped.set()
        discovery.join()
        prometheus.stop()


def discover(release: Release, monitors: list[Manifest], folder: Path, stopped: threading.Event) -> None:
    """Write the pods of each monitor for Prometheus, again and again: Debian's knows no cluster."""
    while not stopped.wait(SCRAPE_SECONDS):
        try:
            pods = release.space.get("pods")["items"]
        except (AssertionError, subprocess.TimeoutExpired):  # the API of the cluster may be away while a node is lost
            continue
        for monitor in monitors:
            file = targets_file(monitor, folder)
            part = file.with_suffix(".part")
            part.write_text(json.dumps(targets(monitor, pods)))
            part.replace(file)


def targets_file(monitor: Manifest, folder: Path) -> Path:
    return folder / f"{monitor['metadata']['name']}.json"


def targets(monitor: Manifest, pods: list[Manifest]) -> list[Manifest]:
    """Return the addresses that a PodMonitor selects, with the labels that the operator adds."""
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    added = {one["targetLabel"]: one["replacement"] for one in endpoint["relabelings"]}
    found = []
    for pod in pods:
        labelled = pod["metadata"].get("labels", {}).items()
        if wanted <= labelled and pod["status"]["phase"] == "Running" and pod["status"].get("podIP"):
            ports = [port for container in pod["spec"]["containers"] for port in container.get("ports", [])]
            (port,) = [port["containerPort"] for port in ports if port.get("name") == endpoint["port"]]
            names = {"namespace": pod["metadata"]["namespace"], "pod": pod["metadata"]["name"]}
            found.append({"targets": [f"{pod['status']['podIP']}:{port}"], "labels": names | added})
    return found


def rendered(release: Release, values: Manifest) -> list[Manifest]:
    """Return what the chart makes where the cluster has the Prometheus operator."""
    command = [tool("helm"), "template", release.name, str(release.chart), "--namespace", release.space.name]
    command += ["--values", str(VALUES), "--values", str(IMAGES), "--values", "-", "--api-versions", API]
    text = run(*command, given=yaml.safe_dump(values), warnings=False)
    return [one for one in yaml.safe_load_all(text) if one]


def scrape(monitor: Manifest, folder: Path) -> dict[str, Any]:
    """Return the job of a PodMonitor, whose pods `discover` writes."""
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    return {
        "job_name": monitor["metadata"]["name"],
        "scrape_interval": f"{SCRAPE_SECONDS}s",
        "metrics_path": endpoint["path"],
        "file_sd_configs": [{"files": [str(targets_file(monitor, folder))], "refresh_interval": "5s"}],
    }
