"""The pulse beats while the worker is well, and stops when its event loop ought to turn and does not."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from parley_worker.celery.liveness_file import LOOP_SILENCE_SECONDS, LivenessFile
from parley_worker.liveness import STALE_SECONDS, is_alive


@pytest.fixture
def pulse(tmp_path: Path) -> LivenessFile:
    return LivenessFile(tmp_path / "pulse")


def test_it_beats_while_the_loop_turns(pulse: LivenessFile, tmp_path: Path) -> None:
    pulse.loop_expected = True
    pulse.turn()
    pulse.beat()
    assert is_alive(tmp_path / "pulse")


def test_it_beats_while_nobody_expects_the_loop_to_turn(pulse: LivenessFile, tmp_path: Path) -> None:
    pulse.last_turn -= 10 * LOOP_SILENCE_SECONDS
    pulse.beat()
    assert is_alive(tmp_path / "pulse"), "waiting for Redis, or draining, is no reason for a restart"


def test_it_falls_silent_when_the_loop_stands_still(pulse: LivenessFile, tmp_path: Path) -> None:
    pulse.loop_expected = True
    pulse.last_turn -= LOOP_SILENCE_SECONDS + 1
    pulse.beat()
    assert not is_alive(tmp_path / "pulse")


@pytest.mark.parametrize(("age", "code"), [(0.0, 0), (STALE_SECONDS + 5, 1), (None, 1)])
def test_the_probe_says_so_by_its_exit_code(tmp_path: Path, age: float | None, code: int) -> None:
    file = tmp_path / "pulse"
    if age is not None:
        file.touch()
        os.utime(file, (time.time() - age, time.time() - age))
    environment = {**os.environ, "PARLEY_LIVENESS_FILE": str(file)}
    assert subprocess.run([sys.executable, "-m", "parley_worker.liveness"], env=environment).returncode == code
