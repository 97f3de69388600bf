"""docker-compose.yml runs the same parts as the chart, as safely. Docker itself is not needed for this."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from parley_core.settings import Settings
from tests.chart.rendering import render

PARTS = ("api", "keeper", "worker", "flower")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    text = (Path(__file__).parents[2] / "docker-compose.yml").read_text()
    found: dict[str, Any] = yaml.safe_load(text)["services"]
    return found


def test_each_part_starts_as_in_the_chart(services: dict[str, Any]) -> None:
    pods = render().pods()
    names = {part: f"release-parley-{part}" for part in PARTS} | {"worker": "release-parley-worker-batch"}
    for part in PARTS:
        container = pods[names[part]]["containers"][0]
        assert services[part]["command"] == container["command"]
        assert services[part]["image"] == container["image"]
    assert services["redis"]["image"] == pods["release-parley-redis"]["containers"][0]["image"]


def test_a_worker_may_finish_its_jobs_and_has_no_way_out(services: dict[str, Any]) -> None:
    grace = int(services["worker"]["stop_grace_period"].removesuffix("s"))
    assert grace > Settings.model_fields["longest_attempt_seconds"].default
    assert services["worker"]["networks"] == ["inside"]


def test_ports_are_open_on_this_machine_alone_and_behind_a_password(services: dict[str, Any]) -> None:
    ports = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert ports == {"api": ["127.0.0.1:7001:7001"], "flower": ["127.0.0.1:5555:5555"]}
    assert "PARLEY_API_KEYS_FILE" in services["api"]["environment"]
    assert ":?" in services["flower"]["environment"]["FLOWER_BASIC_AUTH"]


def test_redis_keeps_what_it_was_given(services: dict[str, Any]) -> None:
    command = " ".join(services["redis"]["command"])
    for option in ("--appendonly yes", "--appendfsync always", "--maxmemory-policy noeviction"):
        assert option in command
