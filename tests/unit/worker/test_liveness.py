"""The liveness file is touched while the worker is well, and not while its event loop should run and does not."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from parley_worker.celery.liveness_file import LOOP_STALL_SECONDS, LivenessFile
from parley_worker.liveness import STALE_SECONDS, is_alive


@pytest.fixture
def liveness(tmp_path: Path) -> LivenessFile:
    return LivenessFile(tmp_path / "liveness")


def test_the_file_is_touched_while_the_loop_runs(liveness: LivenessFile, tmp_path: Path) -> None:
    liveness.loop_expected = True
    liveness.note_loop()
    liveness.touch()
    assert is_alive(tmp_path / "liveness")


def test_the_file_is_touched_while_the_loop_need_not_run(liveness: LivenessFile, tmp_path: Path) -> None:
    liveness.loop_ran_at -= 10 * LOOP_STALL_SECONDS
    liveness.touch()
    assert is_alive(tmp_path / "liveness"), "waiting for Redis, or draining, is no reason for a restart"


def test_the_file_is_not_touched_when_the_loop_is_stuck(liveness: LivenessFile, tmp_path: Path) -> None:
    liveness.loop_expected = True
    liveness.loop_ran_at -= LOOP_STALL_SECONDS + 1
    liveness.touch()
    assert not is_alive(tmp_path / "liveness")


@pytest.mark.parametrize(("age", "code"), [(0.0, 0), (STALE_SECONDS + 5, 1), (None, 1)])
def test_the_probe_answers_by_its_exit_code(tmp_path: Path, age: float | None, code: int) -> None:
    file = tmp_path / "liveness"
    if age is not None:
        file.touch()
        os.utime(file, (time.time() - age, time.time() - age))
    environment = {**os.environ, "PARLEY_LIVENESS_FILE": str(file)}
    assert subprocess.run([sys.executable, "-m", "parley_worker.liveness"], env=environment).returncode == code
