"""Alerts reach people once: real Prometheus and Alertmanager, the rules and routes of the chart, local receivers."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from parley_core.settings import Settings
from tests.chart.rendering import PROMETHEUS, Manifest, helm, refusal, render, tool
from tests.support.alertmanager import Alertmanager, messages, pages
from tests.support.api_process import ApiProcess, free_port
from tests.support.prometheus import Prometheus
from tests.support.receivers import Receiver
from tests.support.valkey import Valkey
from tests.support.waiting import until
from tests.support.worker import System, running_system
from tools.observability import observe, rules

ALL: Manifest = {
    "existingSecret": "on-call",
    "secretFolder": "/secrets",
    "pagerduty": {"enabled": True},
    "slack": {"channel": "#parley"},
    "teams": {"enabled": True},
    "email": {"to": "team@clinic.example", "from": "a@b.example", "smarthost": "mail.example:587", "username": "u"},
}
QUEUE_STALLS = {"ParleyNoWorker", "ParleyQueueNotMoving", "ParleyOldestJobTooOld"}
EVERYTHING_IS_DOWN = {"ParleyNotReady", "ParleyKeeperLate"}


def routed(values: Manifest) -> Manifest:
    return {"monitoring": {"routing": values}}


def configuration(values: Manifest) -> str:
    text: str = render(routed(values)).one("ConfigMap", "-alertmanager")["data"]["alertmanager.yml"]
    return text


def as_file(value: Any) -> Any:
    """Return a part of an AlertmanagerConfig in the words of Alertmanager's file."""
    if isinstance(value, list):
        return [as_file(one) for one in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"name", "key"}:
        return f"/secrets/{value['key']}"
    if set(value) == {"name", "value", "matchType"}:
        return f'{value["name"]}{value["matchType"]}"{value["value"]}"'
    return {name_in_file(name, one): as_file(one) for name, one in value.items()}


def name_in_file(name: str, value: Any) -> str:
    name = re.sub(r"([a-z0-9])(URL|[A-Z])", r"\1_\2", name).lower()
    name = re.sub(r"_match$", "_matchers", name)
    return f"{name}_file" if isinstance(value, dict) and set(value) == {"name", "key"} else name


def test_the_operator_and_the_file_route_alike() -> None:
    spec = as_file(render(routed(ALL), PROMETHEUS).one("AlertmanagerConfig", "-alerts")["spec"])
    assert spec["route"].pop("matchers") == [
        'release="release"',
        'alertname=~"Parley.+"',
    ]  # others share the operator's
    for receiver in spec["receivers"]:
        (mail,) = receiver["email_configs"]
        mail["headers"] = {header["key"]: header["value"] for header in mail["headers"]}
    assert spec == yaml.safe_load(configuration(ALL))


def test_alertmanager_accepts_the_file(tmp_path: Path) -> None:
    known = ALL | {"teams": {"enabled": False}}  # Debian's Alertmanager is older than Teams' workflows
    (tmp_path / "alertmanager.yml").write_text(configuration(known))
    command = [tool("amtool"), "check-config", "alertmanager.yml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_make_observe_watches_with_the_rules_of_the_chart(tmp_path: Path) -> None:
    assert rules.FILE.read_text() == rules.render(helm()), "run `python -m tools.observability.rules`"
    (tmp_path / "alertmanager.yml").write_text(yaml.safe_dump(observe.alertmanager_configuration()))
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(observe.prometheus_configuration(["a:1"], "b:2")))
    (tmp_path / "otelcol.yml").write_text(yaml.safe_dump(observe.collector_configuration(tmp_path, "c:3", tmp_path)))
    for command in (
        ("amtool", "check-config", "alertmanager.yml"),
        ("promtool", "check", "config", "prometheus.yml"),
        ("otelcol", "validate", "--config=otelcol.yml"),
    ):
        program, *arguments = command
        done = subprocess.run([tool(program), *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    inhibited = yaml.safe_load(configuration(ALL))["inhibit_rules"]
    assert observe.alertmanager_configuration()["inhibit_rules"] == inhibited


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"existingSecret": "a"}, "nobody receives alerts"),
        ({"slack": {"channel": "#a"}}, "no Secret"),
        ({"existingSecret": "a", "email": {"to": "a@b.example"}}, "set from and smarthost"),
        ({"existingSecret": "a", "email": {"smarthost": "mail"}}, "smarthost"),
    ],
)
def test_routes_that_cannot_work_are_refused(values: Manifest, why: str) -> None:
    assert why in refusal(routed(values))


def test_nothing_is_routed_by_default() -> None:
    rendered = render({}, PROMETHEUS)
    assert not rendered.of("AlertmanagerConfig")
    assert not rendered.of("ConfigMap", "alertmanager")


@dataclass(frozen=True, slots=True)
class Watched:
    """A system, what watches it, and who is told."""

    system: System
    api: ApiProcess
    alertmanager: Alertmanager
    pagerduty: Receiver
    slack: Receiver

    def firing(self) -> set[str]:
        return self.alertmanager.alerts(active=True, inhibited=True)

    def settle(self) -> None:
        """Wait for the end of what fired while the system started, and forget it."""
        until(lambda: not self.firing(), what="the system is well")
        until(lambda: all(self._told_of_the_end()), what="receivers hear of the end")
        self.pagerduty.received.clear()
        self.slack.received.clear()

    def _told_of_the_end(self) -> Iterator[bool]:
        yield from (len(receiver.received) % 2 == 0 for receiver in (self.pagerduty, self.slack))


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    """A system that is well, under the rules and routes of the chart."""
    server = Valkey(tmp_path / "valkey")
    server.start()
    settings = Settings(redis_url=server.url, objects_url=f"file://{tmp_path}/objects")
    port = free_port()
    with (
        Receiver(answers=[202] * 99) as pagerduty,
        Receiver(answers=[200] * 99) as slack,
        running_system(settings, tmp_path) as system,
        ApiProcess(settings, tmp_path / "api.log") as api,
    ):
        (tmp_path / "slack-url").write_text(slack.url)
        (tmp_path / "pagerduty-routing-key").write_text("key")
        values = {"existingSecret": "on-call", "secretFolder": str(tmp_path), "slack": {"channel": "#parley"}}
        values |= {"pagerduty": {"enabled": True, "url": pagerduty.url}, "groupWait": "3s", "groupInterval": "1s"}
        with Alertmanager(tool("prometheus-alertmanager"), tmp_path, configuration(values)) as alertmanager:
            system.keeper(PARLEY_KEEPER_PORT=port)
            targets = [f"127.0.0.1:{api.port}", f"127.0.0.1:{port}"]
            prometheus = Prometheus(tool("prometheus"), tmp_path, targets, hurried_alerts(), alertmanager.address)
            try:
                prometheus.wait_until_it_answers()
                until(lambda: len(prometheus.query("up == 1")) == 2, what="both targets are scraped")
                found = Watched(system, api, alertmanager, pagerduty, slack)
                found.settle()
                yield found
            finally:
                prometheus.stop()
    server.stop()


def hurried_alerts() -> list[Any]:
    """Return the alerts with seconds for minutes, so that they fire in the order in which they do."""
    values = {"monitoring": {"alerts": {"oldestSeconds": {"interactive": 3, "batch": 3}}}}
    text = yaml.safe_dump(render(values, PROMETHEUS).one("PrometheusRule", "-alerts")["spec"]["groups"])
    text = re.sub(r"(\w*for: \d+)m", r"\g<1>s", text)
    groups: list[Any] = yaml.safe_load(text.replace("> 120", "> 2"))
    return groups


def test_a_stalled_queue_reaches_each_receiver_once_and_resolves(watched: Watched) -> None:
    watched.system.submit()  # and there is no worker
    until(lambda: watched.firing() >= QUEUE_STALLS, what="cause and consequences fire")
    until(lambda: watched.pagerduty.received and watched.slack.received, what="the receivers are told")
    assert watched.alertmanager.alerts(active=True) == {"ParleyNoWorker"}
    watched.system.worker()
    until(lambda: len(watched.pagerduty.received) > 1 and len(watched.slack.received) > 1, what="they hear of its end")
    until(lambda: not watched.firing())
    (fired, incident), (resolved, same) = pages(watched.pagerduty)
    assert (fired, resolved, incident) == ("trigger", "resolve", same)
    assert list(messages(watched.slack)) == [
        "Firing: ParleyNoWorker (space/release)",
        "Resolved: ParleyNoWorker (space/release)",
    ]


def test_an_outage_of_everything_pages_once(watched: Watched) -> None:
    watched.api.running.kill()  # before the others: their end takes seconds on a busy machine, and is an alert, too
    watched.system.stop()
    until(lambda: watched.firing() >= EVERYTHING_IS_DOWN)
    until(lambda: watched.pagerduty.received and watched.slack.received, what="the receivers are told")
    assert watched.alertmanager.alerts(active=True) == {"ParleyNotReady"}
    time.sleep(5)  # longer than a group waits: a second page would be here
    [(action, _)] = set(pages(watched.pagerduty))  # one incident; a request without an answer is sent again
    assert action == "trigger"
    assert list(messages(watched.slack)) == ["Firing: ParleyNotReady (space/release)"]
