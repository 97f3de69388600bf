"""Engines that misbehave, for `PARLEY_ENGINE=tests.support.engines:<name>`."""

from __future__ import annotations

import os
import re
import signal
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from parley_core.job import Phase, SpeakerBounds
from parley_core.turns import Diarization, EngineInfo
from parley_worker.engines.port import Report

GATE = "gate-is-open"
SPUN = "spun"
NOTHING = Diarization((), (), ())


class _Engine:
    info = EngineInfo("misbehaving", "1")

    def __init__(self, threads: int) -> None:
        self.threads = threads


class Spinning(_Engine):
    """Burns the processor and never reports."""

    def diarize(self, waveform: NDArray[np.float32], speakers: SpeakerBounds, report: Report) -> Diarization:
        while True:
            pass


class FirstSpins(_Engine):
    """Spins on the first job that any process of its folder meets, and is done at once with all others."""

    def diarize(self, waveform: NDArray[np.float32], speakers: SpeakerBounds, report: Report) -> Diarization:
        try:
            Path(SPUN).touch(exist_ok=False)
        except FileExistsError:
            return NOTHING
        while True:
            pass


class Greedy(_Engine):
    """Holds the interpreter's lock inside one C call, so that no other thread of its process runs."""

    def diarize(self, waveform: NDArray[np.float32], speakers: SpeakerBounds, report: Report) -> Diarization:
        re.match(r"(a+)+$", "a" * 64 + "b")
        return NOTHING


class Gated(_Engine):
    """Works and reports until the folder of its process has the file that opens the gate."""

    def diarize(self, waveform: NDArray[np.float32], speakers: SpeakerBounds, report: Report) -> Diarization:
        while not Path(GATE).exists():
            report(Phase.EMBEDDING, 0.5)
            time.sleep(0.02)
        return NOTHING


class _EndlessAfterTheFirst(_Engine):
    """Ends the first job of its process at once, so that a test can measure a start, and never ends a later one."""

    started = False

    def diarize(self, waveform: NDArray[np.float32], speakers: SpeakerBounds, report: Report) -> Diarization:
        while self.started:
            self.work(report)
        self.started = True
        return NOTHING

    def work(self, report: Report) -> None:
        report(Phase.EMBEDDING, 0.5)
        time.sleep(0.02)


class Long(_EndlessAfterTheFirst):
    """Never ends a later job, and lets the soft limit interrupt it."""


class Deaf(_EndlessAfterTheFirst):
    """Never ends a later job, and ignores every exception, the soft limit too."""

    def work(self, report: Report) -> None:
        with suppress(Exception):
            time.sleep(60)


class Poisonous(_Engine):
    """Kills its own process, as a fault in native code or the kernel's out-of-memory killer does."""

    def diarize(self, waveform: NDArray[np.float32], speakers: SpeakerBounds, report: Report) -> Diarization:
        os.kill(os.getpid(), signal.SIGKILL)
        return NOTHING


class Leaking(_Engine):
    """Keeps 50 MB of every job."""

    def diarize(self, waveform: NDArray[np.float32], speakers: SpeakerBounds, report: Report) -> Diarization:
        report(Phase.EMBEDDING, 0.5)
        kept.append(np.ones(50_000_000 // 8))
        time.sleep(0.1)
        return NOTHING


kept: list[NDArray[np.float64]] = []
