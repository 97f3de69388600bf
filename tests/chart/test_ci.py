"""`.ci/run` is red when a step is, ends in time, and takes its cluster down whatever happens: with stand-ins."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from k8s import images
from tests.chart.rendering import CHART, ROOT, tool

TARGETS = ("lint", "browser", "test", "chart-tools", "chart", "images", "e2e")
HANGS, WORKS, FAILS = "sleep 60", "true", "false"


class Machine:
    """A working tree beside a development cluster. Each program records its name, then runs a given command."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._calls = folder, folder / "calls"
        (folder / "main" / ".ci").mkdir(parents=True)
        self.script = Path(shutil.copy(ROOT / ".ci" / "run", folder / "main" / ".ci"))
        self.cluster_command("up", WORKS)
        self.cluster_command("down", WORKS)
        self.make()
        self.program("cache/bin/kubelet", WORKS)
        self.program("cache/bin/kubectl", FAILS)  # no cluster answers
        self.program("cache/images/pause.tar", WORKS)
        self.program("bin/id", "echo 0")

    def program(self, name: str, command: str) -> None:
        file = self._folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/sh\n{command}\n")
        file.chmod(0o755)

    def cluster_command(self, name: str, command: str) -> None:
        self.program(f"shared/cluster/{name}", f"echo {name} >> {self._calls}\n{command}")

    def make(self, **given: str) -> None:
        """Write a Makefile whose targets work, but those that are given."""
        targets = dict.fromkeys(TARGETS, WORKS) | {name.replace("_", "-"): command for name, command in given.items()}
        rules = [f"{name}:\n\t@echo {name} >> {self._calls}\n\t@{command}\n" for name, command in targets.items()]
        (self._folder / "main" / "Makefile").write_text("".join(rules))

    def start(self, part: str = "cluster") -> subprocess.Popen[str]:
        own = {"PATH": f"{self._folder / 'bin'}:{os.environ['PATH']}", "CLUSTER_CACHE": str(self._folder / "cache")}
        return subprocess.Popen(
            [self.script, part],
            env={**os.environ, **own, "CLUSTER_STATE": str(self._folder / "state")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def calls(self) -> list[str]:
        return self._calls.read_text().split() if self._calls.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_cases_that_pass_are_green(machine: Machine) -> None:
    run = machine.start()
    said, _ = run.communicate(timeout=30)
    assert run.returncode == 0, said
    assert machine.calls() == ["chart-tools", "images", "up", "e2e", "down"]


def test_cases_that_fail_are_red_and_leave_no_cluster(machine: Machine) -> None:
    machine.make(e2e=FAILS)
    run = machine.start()
    run.communicate(timeout=30)
    assert run.returncode != 0
    assert machine.calls() == ["chart-tools", "images", "up", "e2e", "down"]


@pytest.mark.parametrize("broken", ["images", "up"])
def test_a_failure_before_the_cases_is_red(machine: Machine, broken: str) -> None:
    machine.make(**{broken: FAILS} if broken == "images" else {})
    machine.cluster_command("up", FAILS)
    run = machine.start()
    run.communicate(timeout=30)
    assert run.returncode != 0
    assert "e2e" not in machine.calls()


def test_an_interrupted_run_leaves_no_cluster(machine: Machine) -> None:
    machine.make(e2e=HANGS)
    run = machine.start()
    deadline = time.monotonic() + 30
    while "e2e" not in machine.calls() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGTERM)
    run.communicate(timeout=30)
    assert run.returncode != 0
    assert machine.calls()[-1] == "down"


def test_the_code_is_checked_with_the_tools_that_its_tests_need(machine: Machine) -> None:
    run = machine.start("code")
    said, _ = run.communicate(timeout=30)
    assert run.returncode == 0, said
    assert machine.calls() == ["lint", "browser", "test", "chart-tools", "chart"]


def test_tests_know_that_they_run_in_ci(machine: Machine) -> None:
    machine.make(test='test "$$CI" = 1')
    run = machine.start("code")
    said, _ = run.communicate(timeout=30)
    assert run.returncode == 0, said


def test_a_run_that_takes_too_long_ends_red(machine: Machine) -> None:
    script = machine.script.read_text()
    machine.script.write_text(script.replace("LIMIT=$((90 * 60))", "LIMIT=1"))
    machine.make(lint=HANGS)
    run = machine.start("code")
    run.communicate(timeout=30)
    assert run.returncode != 0
    assert machine.calls() == ["lint"]


@pytest.mark.parametrize(("ci", "outcome"), [("1", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_missing_tool_fails_in_ci_and_skips_on_a_laptop(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="no-such-tool is not on PATH: `make chart-tools` installs it"):
        tool("no-such-tool")


def test_ci_installs_the_versions_that_the_chart_names() -> None:
    pinned = dict(re.findall(r"^(\w+)=(v[\d.]+)", (ROOT / ".ci" / "tools").read_text(), re.MULTILINE))
    assert pinned["VERSITYGW"] == images.VERSITYGW
    assert pinned["VERSITYGW"] == yaml.safe_load((CHART / "values.yaml").read_text())["images"]["objects"]["tag"]


def test_a_running_cluster_is_left_alone(machine: Machine) -> None:
    machine.program("cache/bin/kubectl", WORKS)
    run = machine.start()
    said, _ = run.communicate(timeout=30)
    assert run.returncode == 0
    assert "skipped, a development cluster is already running" in said
    assert machine.calls() == []
