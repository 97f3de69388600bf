"""A supervisor of scripted parts, as a process that tests kill: `python scripted_system.py HOME PART...`.

Each part is a Python program. It starts a child in its own process group and one in a new session.
"""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console

from parley_local.home import Home
from parley_local.machine import stop_on_signals
from parley_local.output import Output
from parley_local.parts import Part
from parley_local.process import OrphanReaper, python_environment
from parley_local.supervisor import Supervisor

WITH_CHILDREN = """
import subprocess, sys, time
sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
subprocess.Popen(sleep)
subprocess.Popen(sleep, start_new_session=True)
print("up", flush=True)
time.sleep(600)
"""
IGNORES_SIGTERM = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + WITH_CHILDREN
PROGRAMS = {"children": WITH_CHILDREN, "stubborn": IGNORES_SIGTERM, "stubborn-for-an-hour": IGNORES_SIGTERM}
STOP_SECONDS = {"children": 3600.0, "stubborn": 1.0, "stubborn-for-an-hour": 3600.0}


def main() -> None:
    stop = stop_on_signals()
    home = Home(Path(sys.argv[1]))
    output = Output(Console(highlight=False, markup=False), home.logs)
    mark = home.folder.name
    reaper = OrphanReaper(mark, keep_open=home.lock_fd)
    parts = tuple(
        Part(name, "cyan", (sys.executable, "-c", PROGRAMS[name]), stop_seconds=STOP_SECONDS[name])
        for name in sys.argv[2:]
    )
    supervisor = Supervisor((parts,), python_environment({}, mark), output, reaper, stop)
    supervisor.start()
    supervisor.watch(until=stop)
    supervisor.stop()
    reaper.close()


if __name__ == "__main__":
    main()
