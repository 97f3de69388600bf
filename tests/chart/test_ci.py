"""`.ci/run cluster` takes its cluster down whatever happens, and is red when the cases are: with stand-ins for both."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.chart.rendering import ROOT

STANDS, WORKS, FAILS = "sleep 60", "true", "false"


class Machine:
    """A working tree beside a development cluster, each part of which writes its name down and does as it is told."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._calls = folder, folder / "calls"
        (folder / "main" / ".ci").mkdir(parents=True)
        shutil.copy(ROOT / ".ci" / "run", folder / "main" / ".ci")
        self.does("up", WORKS)
        self.does("down", WORKS)
        self.make(images=WORKS, e2e=WORKS)
        self.program("cache/bin/kubelet", WORKS)
        self.program("cache/bin/kubectl", FAILS)  # no cluster answers
        self.program("cache/images/pause.tar", WORKS)
        self.program("bin/id", "echo 0")

    def program(self, name: str, command: str) -> None:
        file = self._folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/sh\n{command}\n")
        file.chmod(0o755)

    def does(self, name: str, command: str) -> None:
        self.program(f"shared/cluster/{name}", f"echo {name} >> {self._calls}\n{command}")

    def make(self, **targets: str) -> None:
        rules = [f"{name}:\n\t@echo {name} >> {self._calls}\n\t@{command}\n" for name, command in targets.items()]
        (self._folder / "main" / "Makefile").write_text("".join(rules))

    def start(self) -> subprocess.Popen[str]:
        own = {"PATH": f"{self._folder / 'bin'}:{os.environ['PATH']}", "CLUSTER_CACHE": str(self._folder / "cache")}
        return subprocess.Popen(
            [self._folder / "main" / ".ci" / "run", "cluster"],
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
    assert machine.calls() == ["images", "up", "e2e", "down"]


def test_cases_that_fail_are_red_and_leave_no_cluster(machine: Machine) -> None:
    machine.make(images=WORKS, e2e=FAILS)
    run = machine.start()
    run.communicate(timeout=30)
    assert run.returncode != 0
    assert machine.calls() == ["images", "up", "e2e", "down"]


@pytest.mark.parametrize("broken", ["images", "up"])
def test_what_fails_before_the_cases_is_red_too(machine: Machine, broken: str) -> None:
    machine.make(images=FAILS if broken == "images" else WORKS, e2e=WORKS)
    machine.does("up", FAILS)
    run = machine.start()
    run.communicate(timeout=30)
    assert run.returncode != 0
    assert "e2e" not in machine.calls()


def test_a_run_that_is_broken_off_leaves_no_cluster(machine: Machine) -> None:
    machine.make(images=WORKS, e2e=STANDS)
    run = machine.start()
    deadline = time.monotonic() + 30
    while "e2e" not in machine.calls() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGTERM)
    run.communicate(timeout=30)
    assert run.returncode != 0
    assert machine.calls()[-1] == "down"


def test_somebody_elses_cluster_is_left_alone(machine: Machine) -> None:
    machine.program("cache/bin/kubectl", WORKS)
    run = machine.start()
    said, _ = run.communicate(timeout=30)
    assert run.returncode == 0
    assert "skipped, a development cluster is running already" in said
    assert machine.calls() == []
