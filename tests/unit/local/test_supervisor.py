"""The supervisor: order, readiness, failed starts and restarts."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from parley_local.errors import PartFailed
from parley_local.home import Home
from parley_local.output import Output
from parley_local.parts import Part, Stages
from parley_local.process import OrphanReaper, python_environment
from parley_local.supervisor import Stop, Supervisor, restart_delay
from tests.support.waiting import until

SLEEP = "import time; time.sleep(600)"
Build = Callable[..., tuple[Supervisor, Stop, io.StringIO]]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    home = Home(tmp_path)
    reaper = OrphanReaper("none", keep_open=home.lock_fd)
    built: list[Supervisor] = []

    def build_one(*stages: tuple[Part, ...]) -> tuple[Supervisor, Stop, io.StringIO]:
        screen, stop = io.StringIO(), Stop()
        console = Console(file=screen, width=200, highlight=False, markup=False)
        supervisor = Supervisor(stages, python_environment({}, "none"), Output(console, home.logs), reaper, stop)
        built.append(supervisor)
        return supervisor, stop, screen

    yield build_one
    for supervisor in built:
        supervisor.stop()
    reaper.close()
    home.close()


def part(name: str, program: str, ready: Callable[[], bool] | None = None) -> Part:
    return Part(name, "cyan", (sys.executable, "-c", program), ready)


def test_delays_double_up_to_30_seconds() -> None:
    assert [restart_delay(deaths) for deaths in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_a_stage_starts_when_the_one_before_is_ready(build: Build, tmp_path: Path) -> None:
    file = tmp_path / "ready"
    first = part("first", f"import time; time.sleep(0.3); open({str(file)!r}, 'w').close(); {SLEEP}", file.exists)
    second = part("second", f"import os; print('first is ready:', os.path.exists({str(file)!r})); {SLEEP}")
    supervisor, _, screen = build((first,), (second,))
    supervisor.start()
    until(lambda: "first is ready: True" in screen.getvalue())


def test_a_part_that_ends_before_it_is_ready_ends_the_start_with_its_last_output(build: Build) -> None:
    supervisor, _, _ = build((part("api", "raise SystemExit('no such setting')", lambda: False),))
    with pytest.raises(PartFailed, match=r"api did not start \(exit code 1\)[\s\S]*no such setting"):
        supervisor.start()


def test_a_part_that_the_start_does_not_wait_for_may_die(build: Build) -> None:
    supervisor, _, screen = build((part("flower", "raise SystemExit(3)"),))
    supervisor.start()
    supervisor.watch(until=lambda: screen.getvalue().count("died (exit code 3)") == 2)
    assert "restarted in 0.5 s" in screen.getvalue()
    assert "restarted in 1 s" in screen.getvalue()


def test_a_stop_while_starting_ends_the_start(build: Build) -> None:
    supervisor, stop, _ = build((part("valkey", SLEEP, lambda: False),))
    stop.times = 1
    supervisor.start()


def test_the_store_stops_last(build: Build) -> None:
    stops = "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(print('stops')))\n"
    program = f"{stops}print('up')\ntime.sleep(600)"
    stages: Stages = ((part("valkey", program),), (part("api", program),), (part("worker", program),))
    supervisor, _, screen = build(*stages)
    supervisor.start()
    until(lambda: screen.getvalue().count("up") == 3)
    supervisor.stop()
    order = [line.split()[0] for line in screen.getvalue().splitlines() if "stops" in line]
    assert order == ["worker", "api", "valkey"]
