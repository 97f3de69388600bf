"""The engine of the fault harness. The length of a recording in whole seconds selects its behaviour."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from parley_core.job import SpeakerBounds
from parley_core.turns import Diarization, EngineInfo
from parley_worker.engines.port import Report
from parley_worker.engines.scripted import ScriptedEngine

RATE = 16_000
ORDINARY, POISON, IGNORES_LIMIT, LEAK, SILENT = 1, 2, 3, 4, 5  # seconds of audio that select a behaviour
LEAK_BYTES = 64 * 1024**2  # per batch
MEMORY_LIMIT = 3 * 1024**3  # limit of the address space, in place of that of a container

_leaked: list[bytes] = []


class FaultyEngine:
    """Takes FAULTS_RUN_SECONDS for ordinary recordings. The functions below handle the others."""

    info = EngineInfo("faulty", "1")

    def __init__(self, threads: int) -> None:
        self._ordinary = ScriptedEngine(float(os.environ["FAULTS_RUN_SECONDS"]))

    def diarize(self, waveform: NDArray[np.float32], speakers: SpeakerBounds, report: Report) -> Diarization:
        behaviour = BEHAVIOURS.get(round(len(waveform) / RATE))
        if behaviour is not None:
            behaviour()
        return self._ordinary.diarize(waveform, speakers, report)


def kill_the_process() -> None:
    """Kill the process: a poison recording."""
    os.kill(os.getpid(), signal.SIGKILL)


def ignore_the_soft_limit() -> None:
    """Run forever without a report, and ignore all exceptions."""
    while True:
        with contextlib.suppress(BaseException):
            time.sleep(1)


def leak_memory() -> None:
    """Allocate memory until the limit."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    while True:
        _leaked.append(b"\1" * LEAK_BYTES)


def compute_without_a_report() -> None:
    """Make no report for longer than a lease of the harness."""
    time.sleep(4)


BEHAVIOURS: dict[int, Callable[[], None]] = {
    POISON: kill_the_process,
    IGNORES_LIMIT: ignore_the_soft_limit,
    LEAK: leak_memory,
    SILENT: compute_without_a_report,
}
