"""The engine of the fault harness: what it does to its process depends on the length of the recording.

Lengths are whole seconds, so a schedule chooses a behaviour by the recording it submits.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from parley_core.engine import Report
from parley_core.job import SpeakerBounds
from parley_core.turns import Diarization, EngineInfo
from parley_worker.engines.scripted import ScriptedEngine

RATE = 16_000
ORDINARY, POISON, DEAF, LEAK, SILENT = 1, 2, 3, 4, 5  # seconds of audio that choose a behaviour
LEAK_BYTES = 64 * 1024**2  # per batch
MEMORY_LIMIT = 3 * 1024**3  # address space of a child, as a container would limit it

_leaked: list[bytes] = []


class FaultyEngine:
    """Ordinary recordings take FAULTS_RUN_SECONDS; see the functions below for the others."""

    info = EngineInfo("faulty", "1")

    def __init__(self, threads: int) -> None:
        self._ordinary = ScriptedEngine(float(os.environ["FAULTS_RUN_SECONDS"]))

    def diarize(self, waveform: NDArray[np.float32], speakers: SpeakerBounds, report: Report) -> Diarization:
        trouble = TROUBLES.get(round(len(waveform) / RATE))
        if trouble is not None:
            trouble()
        return self._ordinary.diarize(waveform, speakers, report)


def kill_the_process() -> None:
    """A poison recording: whoever works on it dies."""
    os.kill(os.getpid(), signal.SIGKILL)


def ignore_the_soft_limit() -> None:
    """Works on and on, whatever it is told, without a report."""
    while True:
        with contextlib.suppress(BaseException):
            time.sleep(1)


def leak_memory() -> None:
    """Takes memory until there is none, and never gives it back."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    while True:
        _leaked.append(b"\1" * LEAK_BYTES)


def compute_without_a_report() -> None:
    """Holds still for longer than a lease of the harness, between two batches."""
    time.sleep(4)


TROUBLES: dict[int, Callable[[], None]] = {
    POISON: kill_the_process,
    DEAF: ignore_the_soft_limit,
    LEAK: leak_memory,
    SILENT: compute_without_a_report,
}
