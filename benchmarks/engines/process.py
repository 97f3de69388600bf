"""Runs an engine in a process of one thread, and returns what it measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from benchmarks.data.recordings import Recordings
from benchmarks.scoring.der import Errors, errors, miscounted, read_rttm
from parley_core.process import ARITHMETIC_THREADS
from parley_core.turns import Span, Turn

ONE_THREAD = dict.fromkeys(ARITHMETIC_THREADS, "1")  # numpy's default: all cores
ROOT = Path(__file__).parents[2]
SOURCES = [str(ROOT / part) for part in (".", "services/core", "services/audio", "services/worker")]


@dataclass(frozen=True, slots=True)
class Run:
    """What one process measured of one recording; times in seconds.

    Attributes:
        source: folder of the recording, or its minutes.
        recording: name of the recording.
        seconds: length of the recording.
        processor_seconds: for the diarization, all threads together.
        wall_seconds: for the diarization.
        first_window_seconds: from the call to the report of the first window; None if the engine reports none.
        peak_bytes: largest private memory of the process.
        turns: found in the recording.
    """

    source: str
    recording: str
    seconds: float
    processor_seconds: float
    wall_seconds: float
    first_window_seconds: float | None
    peak_bytes: int
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Runs:
    """What one process measured of some recordings.

    Attributes:
        ready_seconds: from the start of the process until the engine is ready.
        runs: one per recording.
    """

    ready_seconds: float
    runs: tuple[Run, ...]

    @property
    def seconds(self) -> float:
        """Seconds of audio."""
        return sum(run.seconds for run in self.runs)

    @property
    def cost(self) -> float:
        """Processor seconds per second of audio."""
        return sum(run.processor_seconds for run in self.runs) / self.seconds

    @property
    def wall(self) -> float:
        """Seconds per second of audio."""
        return sum(run.wall_seconds for run in self.runs) / self.seconds

    @property
    def first_window_seconds(self) -> float | None:
        """From the start of the process to the first window of the first recording, if that is read at once."""
        first = self.runs[0].first_window_seconds
        return None if first is None else self.ready_seconds + first

    def of(self, source: Path | int) -> Runs:
        """Return the runs of one folder, or of a recording of a number of minutes."""
        return Runs(self.ready_seconds, tuple(run for run in self.runs if run.source == str(source)))

    def errors(self, folder: Path, inside: Span | None = None, collar: float = 0.0) -> Errors:
        """Return the errors of all recordings together, against the folder's references."""
        references = (read_rttm(folder / f"{run.recording}.rttm") for run in self.runs)
        pairs = zip(references, self.runs, strict=True)
        return sum((errors(reference, run.turns, inside, collar) for reference, run in pairs), Errors())

    def miscounted(self, recordings: Recordings) -> int:
        """Return in how many recordings the number of speakers is wrong."""
        references = (read_rttm(recordings.folder / f"{run.recording}.rttm") for run in self.runs)
        return sum(miscounted(reference, run.turns) for reference, run in zip(references, self.runs, strict=True))


def least(repeats: Sequence[Runs]) -> Runs:
    """Return the cheapest run of each recording and the quickest start: those that other processes disturbed least."""
    pairs = zip(*(found.runs for found in repeats), strict=True)
    cheapest = tuple(min(runs, key=lambda run: run.processor_seconds) for runs in pairs)
    return Runs(min(found.ready_seconds for found in repeats), cheapest)


def measure_engine(
    engine: str,
    sources: Sequence[Path | int],
    python: str = sys.executable,
    variables: Mapping[str, str] = MappingProxyType({}),
) -> Runs:
    """Run an engine in a process of its own.

    Args:
        engine: name or `module:factory`, as in PARLEY_ENGINE.
        sources: folders of labelled recordings, and minutes of long recordings.
        python: interpreter of the environment in which the engine is installed.
        variables: additional environment variables of its process.

    Raises:
        CalledProcessError: the engine failed; `stderr` has its error output.
    """
    command = [python, "-m", "benchmarks.engines.run", engine, *map(str, sources)]
    environment = os.environ | ONE_THREAD | {"PYTHONPATH": os.pathsep.join(SOURCES)} | dict(variables)
    environment["PARLEY_BENCH_STARTED"] = str(time.time())
    output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    ready, *rows = (json.loads(line) for line in output.splitlines() if line.startswith("{"))
    return Runs(ready["ready_seconds"], tuple(_run(row) for row in rows))


def _run(row: dict[str, object]) -> Run:
    turns = row.pop("turns")
    assert isinstance(turns, list)
    return Run(**row, turns=tuple(Turn(**turn) for turn in turns))  # type: ignore[arg-type]
