"""An interrupted run of faults leaves no process behind."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.waiting import until

RUN = """
import sys, time
from pathlib import Path
from chaos.leftovers import reaped
from chaos.parts import Part
from tests.support.valkey import Valkey

with reaped():
    folder = Path(sys.argv[1])
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    part = Part("part", sleep, {}, folder / "log")
    part.start()
    server = Valkey(folder)
    server.start()
    print(part.tree()[0].pid, server._process.pid, flush=True)
    time.sleep(600)
"""


def _runs(process: psutil.Process) -> bool:
    """Return False also for a zombie, which stays where process 1 does not reap."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_no_process_is_left_after(number: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-c", RUN, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]) as running:
        assert running.stdout is not None
        started = [psutil.Process(int(pid)) for pid in running.stdout.readline().split()]
        assert len(started) == 2
        running.send_signal(number)
        assert running.wait() == -number
        until(lambda: not any(_runs(process) for process in started))
