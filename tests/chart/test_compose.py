"""docker-compose.yml runs the same parts as the chart, equally protected. The tests need no Docker."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from k8s import images
from parley_api.runtime.keys import ApiKeys
from parley_core.settings import Settings
from parley_worker.celery.planned_stop import FORCE_SECONDS
from tests.chart.rendering import ROOT, render

PARTS = ("api", "keeper", "worker", "flower")
# The keys of the Compose specification that the file uses: `docker compose up` refuses a misspelt one.
SERVICE_KEYS = {"image", "build", "command", "environment", "configs", "ports", "networks", "volumes", "depends_on"}
SERVICE_KEYS |= {"healthcheck", "restart", "read_only", "cap_drop", "security_opt", "tmpfs", "stop_grace_period"}
DURATION = re.compile(r"(\d+(h|m|s))+")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return found


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = compose["services"]
    return found


def mentioned(services: dict[str, Any], kind: str) -> Iterator[str]:
    """Yield the names of networks, volumes or configs that services use."""
    for service in services.values():
        for entry in service.get(kind, []):
            yield entry["source"] if isinstance(entry, dict) else entry.partition(":")[0]


def test_every_reference_is_defined_and_every_definition_is_used(compose: dict[str, Any]) -> None:
    assert {key for key in compose if not key.startswith("x-")} == {"services", "networks", "volumes", "configs"}
    for kind in ("networks", "volumes", "configs"):
        assert set(mentioned(compose["services"], kind)) == set(compose[kind])
    for name, service in compose["services"].items():
        assert service.keys() <= SERVICE_KEYS, name
        assert service.get("depends_on", {}).keys() <= compose["services"].keys(), name
        assert DURATION.fullmatch(service.get("stop_grace_period", "10s")), name
    assert "healthcheck" in compose["services"]["redis"]  # the other services wait for it


def test_commands_are_in_the_images(services: dict[str, Any]) -> None:
    """Each is `python -m` of a service in the image, or a command of a package in its lock file."""
    for part in PARTS:
        image = image_of(services[part])
        words = [services[part]["command"], services[part].get("healthcheck", {}).get("test", ["CMD"])[1:]]
        for command in filter(None, words):
            if command[0] == "python":
                assert find_spec(command[2]), command
                package = command[2].partition(".")[0]
                assert any((ROOT / "services" / member / package).is_dir() for member in image.members), command
            else:
                assert command[0] in {found.name.lower() for found, _ in images.locked(lock_of(image))}, command


def image_of(service: dict[str, Any]) -> images.Image:
    return next(image for image in images.images("onnx") if image.dockerfile == service["build"]["dockerfile"])


def lock_of(image: images.Image) -> Path:
    return ROOT / "requirements" / f"{image.lock}.txt"


def test_every_variable_is_a_setting(services: dict[str, Any]) -> None:
    """Settings ignore unknown variables, so a misspelt one would have no effect."""
    known = {f"PARLEY_{name.upper()}" for name in Settings.model_fields}
    for part in PARTS:
        ours = {name for name in services[part]["environment"] if name.startswith("PARLEY_")}
        assert ours <= known, part
    pods = render().pods().values()
    chart = {variable["name"] for pod in pods for found in pod["containers"] for variable in found.get("env", [])}
    of_keeper_and_client = {"PARLEY_WORKER_PODS", "PARLEY_URL"}
    assert {name for name in chart if name.startswith("PARLEY_")} - known == of_keeper_and_client


def test_writable_folders_of_the_images_are_mounted(services: dict[str, Any]) -> None:
    for part in PARTS:
        assert services[part]["read_only"] is True
        assert services[part]["tmpfs"] == ["/tmp"]
        (mount,) = services[part]["volumes"]
        file = "Dockerfile.worker" if part == "worker" else "Dockerfile.api"
        commands = [line.strip(" &\\") for line in (ROOT / file).read_text().splitlines()]
        assert f"install -d -o 10001 -g 10001 {mount.partition(':')[2]}" in commands


def test_configs_are_mounted_files(compose: dict[str, Any], tmp_path: Path) -> None:
    """Docker copies inline content into the container, which it refuses for a read-only one."""
    for config in compose["configs"].values():
        assert config.keys() == {"file"}
    [keys] = [line for line in (ROOT / "docker-compose.yml").read_text().splitlines() if "> api-keys" in line]
    subprocess.run(["sh", "-c", keys.removeprefix("#")], cwd=tmp_path, env=os.environ | {"KEY": "k" * 32}, check=True)
    found = ApiKeys(tmp_path / "api-keys").find("k" * 32)
    assert found is not None
    assert found.tenant == "default"


def test_each_part_has_the_command_and_image_of_the_chart(services: dict[str, Any]) -> None:
    pods = render().pods()
    names = {part: f"release-parley-{part}" for part in PARTS} | {"worker": "release-parley-worker-batch"}
    for part in PARTS:
        container = pods[names[part]]["containers"][0]
        assert services[part]["command"] == container["command"]
        assert container["image"].startswith(f"{image_of(services[part]).name}:")
    assert services["redis"]["image"] == pods["release-parley-redis"]["containers"][0]["image"]


def test_a_worker_may_give_its_jobs_back_and_has_no_outside_network(services: dict[str, Any]) -> None:
    grace = int(services["worker"]["stop_grace_period"].removesuffix("s"))
    assert FORCE_SECONDS + 5 < grace <= 120
    assert services["worker"]["networks"] == ["inside"]


def test_ports_are_local_and_need_a_password(services: dict[str, Any]) -> None:
    ports = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert ports == {"api": ["127.0.0.1:7001:7001"], "flower": ["127.0.0.1:5555:5555"]}
    assert "PARLEY_API_KEYS_FILE" in services["api"]["environment"]
    assert not [name for name in services["flower"]["environment"] if "AUTH" in name]  # `docker inspect` shows them


def test_flower_reads_its_password_from_the_file_that_is_mounted(services: dict[str, Any], tmp_path: Path) -> None:
    mounts = {one["target"]: one["source"] for one in services["flower"]["configs"]}
    assert mounts == {"/etc/parley/flower/basic-auth": "flower-auth", "/etc/parley/flower/flowerconfig.py": "flower"}
    assert "--conf=/etc/parley/flower/flowerconfig.py" in services["flower"]["command"]
    code = render().one("ConfigMap", "-flower")["data"]["flowerconfig.py"].strip()
    assert code == (ROOT / "charts/parley/files/flowerconfig.py").read_text().strip()
    (tmp_path / "basic-auth").write_text("parley:secret\n")
    read: dict[str, Any] = {}
    exec(code.replace("/etc/parley/flower", str(tmp_path)), read)  # our own file
    assert read["basic_auth"] == ["parley:secret"]
    assert (read["persistent"], services["flower"]["volumes"]) == (True, [f"flower:{Path(read['db']).parent}"])


def test_redis_persists_every_write_and_evicts_nothing(services: dict[str, Any]) -> None:
    command = " ".join(services["redis"]["command"])
    for option in ("--appendonly yes", "--appendfsync always", "--maxmemory-policy noeviction"):
        assert option in command
