"""Faults in recordings, wrong clocks, and the real engine."""

from __future__ import annotations

from pathlib import Path

from chaos.client import SAMPLE
from chaos.engines import IGNORES_LIMIT, LEAK, POISON
from chaos.faults_process import BETWEEN_KILLS, LIGHT_LOAD, kill_workers
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
    """Inject nothing: the recordings are the fault."""
    testbed.note()


def wrong_clock(seconds: int) -> Environment:
    """Return the environment that shifts the clock of a process: by libfaketime if installed, else in Python only."""
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
        affected = testbed.running_on(worker)
        worker.kill()
        testbed.note(affected)
        testbed.pause(*BETWEEN_KILLS)


def clocks() -> list[Fault]:
    wrong = {"worker-1": CLOCK_SECONDS, "keeper": -CLOCK_SECONDS, "api-1": CLOCK_SECONDS, "worker-2": -CLOCK_SECONDS}
    return [
        Fault(
            f"clock of {part} {seconds:+d} s",
            "one clock is wrong, and both workers are killed in turn",
            kill_while_clocks_differ,
            Layout(run_seconds=1.0, injected={part: wrong_clock(seconds)}),
            jobs=20,
            rate=LIGHT_LOAD,
            bound=9.0,
        )
        for part, seconds in wrong.items()
    ]


FAULTS = (
    Fault(
        "poison recording",
        "it kills the process of each attempt: failed after four attempts",
        nothing,
        Layout(recording_seconds=POISON),
        jobs=4,
        rate=1,
        ends="failed",
        short=True,
    ),
    Fault(
        "recording that ignores the soft limit",
        "the child is killed at the hard limit (soft 2 s, hard 4 s)",
        nothing,
        Layout(recording_seconds=IGNORES_LIMIT, injected={"api": SHORT_LIMITS, "worker": QUICK_RETRIES}),
        jobs=2,
        rate=1,
        ends="failed",
    ),
    Fault(
        "recording that leaks memory",
        "the child reaches its limit of 3 GB and is replaced",
        nothing,
        Layout(recording_seconds=LEAK, concurrency=1, injected={"worker": QUICK_RETRIES}),
        jobs=2,
        rate=1,
        ends="failed",
    ),
    *clocks(),
    Fault(
        "real engine, worker killed",
        "the onnx engine on the sample conversation, SIGKILL of the busy worker",
        kill_workers(1),
        Layout(engine="onnx", workers=1),
        jobs=6,
        rate=0.25,  # the engine takes seconds, and recovery must not include waits in a full queue
        bound=3 + 5 + 30.0,
        recording=SAMPLE.read_bytes,
    ),
)
