"""Faults that a job brings along, wrong clocks, and the real engine."""

from __future__ import annotations

from pathlib import Path

from chaos.engines import DEAF, LEAK, POISON
from chaos.faults_process import CARRIED, REPLACED, kill_workers
from chaos.schedule import Fault
from chaos.system import Environment, Layout
from chaos.testbed import Testbed

QUICK_RETRIES = {"FAULTS_RETRY_SECONDS": "1,2,4"}
SHORT_LIMITS = {"FAULTS_LIMITS": "2,4"}
CLOCK_SECONDS = 30
LIBRARIES = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
)


def nothing(testbed: Testbed) -> None:
    """The recordings are the fault."""
    testbed.struck()


def wrong_clock(seconds: int) -> Environment:
    """Shift one process's clock: by libfaketime where it is installed, else for Python alone."""
    library = next((path for path in LIBRARIES if Path(path).exists()), None)
    if library is None:
        return {"FAULTS_CLOCK": str(seconds)}
    return {
        "LD_PRELOAD": library,
        "FAKETIME": f"{seconds:+d}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_RESET": "1",
    }


def kill_while_clocks_differ(testbed: Testbed) -> None:
    for worker in testbed.system.kind("worker"):
        hit = testbed.running_on(worker)
        worker.kill()
        testbed.struck(hit)
        testbed.pause(*REPLACED)


def clocks() -> list[Fault]:
    wrong = {"worker-1": CLOCK_SECONDS, "keeper": -CLOCK_SECONDS, "api-1": CLOCK_SECONDS, "worker-2": -CLOCK_SECONDS}
    return [
        Fault(
            f"clock of {part} {seconds:+d} s",
            "and both workers killed in turn",
            kill_while_clocks_differ,
            Layout(run_seconds=1.0, wounded={part: wrong_clock(seconds)}),
            jobs=20,
            rate=CARRIED,
            bound=9.0,
        )
        for part, seconds in wrong.items()
    ]


FAULTS = (
    Fault(
        "poison recording",
        "kills its process each time: failed after four attempts",
        nothing,
        Layout(recording_seconds=POISON),
        jobs=4,
        rate=1,
        ends="failed",
        short=True,
    ),
    Fault(
        "recording that ignores the soft limit",
        "its child is killed at the hard limit (2 and 4 s here)",
        nothing,
        Layout(recording_seconds=DEAF, wounded={"api": SHORT_LIMITS, "worker": QUICK_RETRIES}),
        jobs=2,
        rate=1,
        ends="failed",
    ),
    Fault(
        "recording that leaks memory",
        "the child meets its limit of 3 GB and is replaced",
        nothing,
        Layout(recording_seconds=LEAK, concurrency=1, wounded={"worker": QUICK_RETRIES}),
        jobs=2,
        rate=1,
        ends="failed",
    ),
    *clocks(),
    Fault(
        "real engine, worker killed",
        "the onnx engine on the conversation that ships with Parley; SIGKILL of the busy worker",
        kill_workers(1),
        Layout(engine="onnx", workers=1),
        jobs=6,
        rate=0.25,  # the engine takes seconds, and a wait in an overfull queue is no part of recovery
        bound=3 + 5 + 30.0,
        sample=True,
    ),
)
