"""Alerts and dashboards as the chart renders them: thresholds, links, labels; Prometheus takes their expressions."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.rendering import PROMETHEUS, Manifest, environment, refusal, render, tool
from tests.cluster import watched
from tools.observability import dashboards, lint
from tools.observability.expressions import Known, known, selectors, unknown

CASES = Path(__file__).parent / "alerts_test.yaml"
ON_CALL = "https://wiki.example/parley"


@pytest.fixture(scope="module")
def rule() -> Manifest:
    return render({}, PROMETHEUS).one("PrometheusRule", "-alerts")


@pytest.fixture(scope="module")
def alerts(rule: Manifest) -> dict[str, Manifest]:
    (group,) = rule["spec"]["groups"]
    return {alert["alert"]: alert for alert in group["rules"]}


@pytest.fixture(scope="module")
def objectives() -> list[Manifest]:
    found = render({}, PROMETHEUS).one("PrometheusRule", "-objectives")
    return [rule for group in found["spec"]["groups"] for rule in group["rules"]]


@pytest.fixture(scope="module")
def boards() -> dict[str, Any]:
    """The dashboards of the chart by uid."""
    found = render({"monitoring": {"alerts": {"runbook": ON_CALL}}}, PROMETHEUS).of("ConfigMap", "monitoring")
    parsed = [json.loads(text) for one in found for text in one["data"].values()]
    return {board["uid"]: board for board in parsed}


@pytest.fixture(scope="module")
def exported() -> Known:
    return known()


def test_alerts_use_metrics_that_exist(alerts: dict[str, Manifest], exported: Known) -> None:
    for name, alert in alerts.items():
        assert list(selectors(alert["expr"])), name
        assert unknown(alert["expr"], exported) == [], name


def test_objectives_use_metrics_that_exist(objectives: list[Manifest], exported: Known) -> None:
    rules = [rule for rule in objectives if rule.get("record", "").startswith("parley:slo_")]
    assert len(rules) == 14
    for rule in rules:
        assert list(selectors(rule["expr"])), rule
        assert unknown(rule["expr"], exported) == [], rule
        for name, labels in selectors(rule["expr"]):
            assert {"namespace", "release"} <= labels, (name, rule)


def test_every_alert_links_to_the_runbook_and_to_a_dashboard(
    alerts: dict[str, Manifest], objectives: list[Manifest], boards: dict[str, Any]
) -> None:
    alerts = alerts | {rule["alert"]: rule for rule in objectives if "alert" in rule}
    assert set(alerts) == lint.headings()
    for name, alert in alerts.items():
        assert alert["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"
        assert alert["annotations"]["dashboard_url"].removeprefix("/d/").partition("?")[0] in boards
        assert alert["labels"]["severity"] in {"critical", "warning"}
        assert not re.search(r"\b(SELECTOR|QUEUE_LIMIT|OLDEST_\w+)\b", yaml.safe_dump(alert)), name


def test_the_dashboard_of_an_alert_shows_a_metric_of_the_alert(
    alerts: dict[str, Manifest], boards: dict[str, Any]
) -> None:
    for name, alert in alerts.items():
        board = boards[alert["annotations"]["dashboard_url"].removeprefix("/d/").partition("?")[0]]
        shown = {metric for text in queries_of(board) for metric, _ in selectors(text)}
        assert shown & {metric for metric, _ in selectors(alert["expr"])}, name


def queries_of(board: Any) -> list[str]:
    return [target["expr"] for panel in board["panels"] for target in panel.get("targets", []) if "expr" in target]


def test_thresholds_come_from_the_values() -> None:
    values: Manifest = {
        "limits": {"queueLimit": 500},
        "monitoring": {"alerts": {"oldestSeconds": {"batch": 77}, "runbook": "https://wiki.example/parley"}},
    }
    text = yaml.safe_dump(render(values, PROMETHEUS).one("PrometheusRule", "-alerts")["spec"])
    for wanted in ("0.9 * 500", "> 77", "> 1800", "https://wiki.example/parley#parleyqueuefull"):
        assert wanted in text


def test_each_object_of_monitoring_can_be_switched() -> None:
    kinds = ("PodMonitor", "PrometheusRule")
    assert not any(render().of(kind) for kind in kinds)
    assert not render().of("ConfigMap", "monitoring")
    assert len(render({"monitoring": {"dashboards": {"enabled": "always"}}}).of("ConfigMap", "monitoring")) == 6
    assert all(render({}, PROMETHEUS).of(kind) for kind in kinds)
    assert not render({"monitoring": {"alerts": {"enabled": "never"}}}, PROMETHEUS).of("PrometheusRule")
    always: Manifest = {"monitoring": {"monitors": "always", "alerts": {"enabled": "always"}}}
    assert all(render(always).of(kind) for kind in kinds)
    assert "interval" in refusal({"monitoring": {"interval": "often"}})


def test_objects_have_the_labels_that_grafana_and_prometheus_select_by() -> None:
    values: Manifest = {"monitoring": {"labels": {"prometheus": "clinic"}}}
    rendered = render(values, PROMETHEUS)
    for kind in ("PodMonitor", "PrometheusRule"):
        assert rendered.of(kind)[0]["metadata"]["labels"]["prometheus"] == "clinic"
    for found in rendered.of("ConfigMap", "monitoring"):
        assert found["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_monitors_scrape_existing_ports_and_add_the_release() -> None:
    rendered = render({}, PROMETHEUS)
    for monitor in rendered.of("PodMonitor"):
        (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
        selected = monitor["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"]
        pods = [pod for name, pod in rendered.pods().items() if f"-parley-{selected}" in name]
        assert len(pods) == (2 if selected == "worker" else 1)
        for pod in pods:
            assert endpoint["port"] in [port["name"] for port in pod["containers"][0]["ports"]]
        assert endpoint["relabelings"] == [{"targetLabel": "release", "replacement": "release"}]


def test_the_tests_of_the_cluster_read_monitors_as_prometheus_takes_them(tmp_path: Path) -> None:
    rendered = render({}, PROMETHEUS)
    monitors = rendered.of("PodMonitor")
    scraped = [watched.scrape(monitor, tmp_path) for monitor in monitors]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump({"scrape_configs": scraped}))
    command = [tool("promtool"), "check", "config", str(tmp_path / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    pods = [
        {
            "metadata": {"name": one["metadata"]["name"], "namespace": "space"} | one["spec"]["template"]["metadata"],
            "spec": one["spec"]["template"]["spec"],
            "status": {"phase": "Running", "podIP": "10.0.0.1"},
        }
        for one in rendered.of("Deployment")
    ]
    found = {
        (target["labels"]["pod"], target["labels"]["release"], *target["targets"])
        for monitor in monitors
        for target in watched.targets(monitor, pods)
    }
    assert found == {
        ("release-parley-api", "release", "10.0.0.1:7003"),
        ("release-parley-keeper", "release", "10.0.0.1:7002"),
        ("release-parley-worker-batch", "release", "10.0.0.1:7004"),
        ("release-parley-worker-interactive", "release", "10.0.0.1:7004"),
    }


def test_pods_without_monitors_say_where_to_scrape() -> None:
    def ports(*apis: str, **monitoring: str) -> dict[str, Any]:
        pods = render({"monitoring": monitoring}, *apis).of("Deployment")
        annotated = {
            pod["metadata"]["name"]: pod["spec"]["template"]["metadata"].get("annotations", {}) for pod in pods
        }
        return {name: one["prometheus.io/port"] for name, one in annotated.items() if "prometheus.io/port" in one}

    workers = {f"release-parley-worker-{queue}": "7004" for queue in ("batch", "interactive")}
    assert ports() == {"release-parley-api": "7003", "release-parley-keeper": "7002", **workers}
    assert ports(PROMETHEUS) == {}
    assert ports(monitors="never") == {}


def test_only_prometheus_reaches_the_metrics_of_api_and_workers() -> None:
    rendered = render({"networkPolicy": {"monitoringNamespace": "watch"}})
    everybody, prometheus = rendered.one("NetworkPolicy", "-api")["spec"]["ingress"]
    assert everybody == {"ports": [{"port": 7001, "protocol": "TCP"}]}
    assert prometheus["ports"] == [{"port": 7003, "protocol": "TCP"}]
    assert prometheus["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "watch"}}}]
    assert [port["port"] for port in rendered.one("Service", "-api")["spec"]["ports"]] == [7001]
    assert environment(rendered.pods()["release-parley-api"])["PARLEY_METRICS_PORT"] == "7003"
    assert rendered.one("NetworkPolicy", "-worker")["spec"]["ingress"] == [
        {"from": prometheus["from"], "ports": [{"port": 7004, "protocol": "TCP"}]}
    ]
    worker = environment(rendered.pods()["release-parley-worker-batch"])
    assert (worker["PARLEY_HOST"], worker["PARLEY_WORKER_METRICS_PORT"]) == ("0.0.0.0", "7004")


def test_panels_do_not_overlap(boards: dict[str, Any]) -> None:
    for uid, board in boards.items():
        taken: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            place = panel["gridPos"]
            cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
            assert not cells & taken, (uid, panel["title"])
            assert max(x for x, _ in cells) < 24
            taken |= cells
        ids = [panel["id"] for panel in board["panels"]]
        assert len(ids) == len(set(ids))


def test_dashboards_link_to_each_other_and_to_the_runbook(boards: dict[str, Any]) -> None:
    assert set(boards) == {board.uid for board in dashboards.BOARDS}
    for board in boards.values():
        others, runbook = board["links"]
        assert (others["type"], others["tags"]) == ("dashboards", board["tags"])
        assert runbook["url"] == ON_CALL
        links = [link["url"] for panel in board["panels"] for link in panel.get("links", [])]
        assert all(link.startswith(f"{ON_CALL}#parley") for link in links)


def promtool(*arguments: str, folder: Path) -> None:
    command = [tool("promtool"), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_accepts_the_alerts_and_they_fire_as_tested(rule: Manifest, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rule["spec"]))
    (tmp_path / CASES.name).write_text(CASES.read_text())
    promtool("check", "rules", "rules.yaml", folder=tmp_path)
    promtool("test", "rules", CASES.name, folder=tmp_path)


def test_every_alert_has_a_case_in_which_it_fires(alerts: dict[str, Manifest]) -> None:
    cases = [case for test in yaml.safe_load(CASES.read_text())["tests"] for case in test["alert_rule_test"]]
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == set(alerts)


def test_prometheus_accepts_the_queries_of_the_dashboards(tmp_path: Path) -> None:
    rules = [
        {"record": f"query:{number}", "expr": re.sub(r"\$__\w+", "5m", expression)}
        for number, expression in enumerate(lint.queries().values())
    ]
    assert len(rules) > 60
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}))
    promtool("check", "rules", "rules.yaml", folder=tmp_path)
