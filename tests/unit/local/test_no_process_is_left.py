"""However the supervisor ends, no process of its system is left: neither its parts nor their children."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from parley_local.home import Home
from parley_local.orphan_reaper import MARK_VARIABLE
from tests.support.waiting import HANG_SECONDS, until

SYSTEM = Path(__file__).with_name("scripted_system.py")
PER_PART = 3  # the part, a child in its group, and a child in a new session


class ScriptedSystem:
    """A supervisor as a process, and the processes of its system."""

    def __init__(self, home: Path, *parts: str) -> None:
        self.home = home
        self.process = subprocess.Popen(
            [sys.executable, str(SYSTEM), str(home), *parts], stdout=subprocess.PIPE, text=True, process_group=0
        )
        until(lambda: len(self.members()) == PER_PART * len(parts))

    def members(self) -> list[psutil.Process]:
        """Return the running processes with the mark of this system."""
        return [process for process in psutil.process_iter() if self._is_member(process)]

    def _is_member(self, process: psutil.Process) -> bool:
        try:
            alive = process.status() != psutil.STATUS_ZOMBIE
            return alive and process.environ().get(MARK_VARIABLE) == self.home.name
        except psutil.Error:
            return False

    def orphan_reaper(self) -> psutil.Process | None:
        """Return the orphan reaper, which has no mark, or None while it is being replaced."""
        return next((child for child in self.children() if "orphan_reaper.py" in command(child)), None)

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()


def command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., ScriptedSystem]]:
    started: list[ScriptedSystem] = []

    def start_one(*parts: str) -> ScriptedSystem:
        # The name of the folder is the mark, so it must be unique.
        started.append(ScriptedSystem(tmp_path / f"system-{os.getpid()}-{time.monotonic_ns()}", *parts))
        return started[-1]

    yield start_one
    for system in started:
        for process in [*system.members(), system.process]:
            process.kill()
        system.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_no_process_is_left_after(number: signal.Signals, start: Callable[..., ScriptedSystem]) -> None:
    system = start("children")
    system.process.send_signal(number)
    system.process.wait(HANG_SECONDS)
    until(lambda: not system.members())


def test_no_process_is_left_after_ctrl_c_in_the_foreground_group(start: Callable[..., ScriptedSystem]) -> None:
    system = start("children")
    os.killpg(system.process.pid, signal.SIGINT)
    assert system.process.wait(HANG_SECONDS) == 0
    assert not system.members()


def test_a_part_that_ignores_sigterm_is_killed_in_time(start: Callable[..., ScriptedSystem]) -> None:
    system = start("stubborn")
    system.process.send_signal(signal.SIGTERM)
    out, _ = system.process.communicate(timeout=HANG_SECONDS)
    assert "stubborn" in out
    assert "did not stop in time" in out
    assert not system.members()


def test_a_second_signal_does_not_wait(start: Callable[..., ScriptedSystem]) -> None:
    system = start("stubborn-for-an-hour")
    system.process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    system.process.send_signal(signal.SIGINT)
    system.process.wait(HANG_SECONDS)


def test_a_killed_orphan_reaper_is_replaced(start: Callable[..., ScriptedSystem]) -> None:
    system = start("children")
    first = system.orphan_reaper()
    assert first is not None
    first.kill()
    until(lambda: system.orphan_reaper() not in (None, first))
    time.sleep(0.3)  # longer than a start of Python: the new reaper must get the groups
    system.process.kill()
    system.process.wait()
    until(lambda: not system.members())


def test_the_home_is_locked_until_all_processes_have_ended(start: Callable[..., ScriptedSystem]) -> None:
    system = start("children")
    system.process.kill()
    home = Home(system.home)
    assert not system.members()
    home.close()


def test_a_part_that_dies_is_restarted_with_a_message(start: Callable[..., ScriptedSystem]) -> None:
    system = start("children")
    part = next(child for child in system.children() if child != system.orphan_reaper())
    orphan = part.children()[0]
    part.kill()
    until(lambda: not part.is_running() and len(system.members()) >= PER_PART)
    until(lambda: not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE)
    system.process.send_signal(signal.SIGTERM)
    out, _ = system.process.communicate(timeout=HANG_SECONDS)
    assert "died (killed by SIGKILL)" in out
    assert "restarted (process" in out
