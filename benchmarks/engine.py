"""The engine alone: its errors, what it costs of a processor, and its memory, each in a process of one thread."""

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

from rich.console import Console

from benchmarks.audio import conversations
from benchmarks.der import Errors, errors, read_rttm
from benchmarks.measure import Measure
from parley_core.turns import Span, Turn

ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}  # numpy takes all cores else
LONG = (30, 240)  # minutes
MEGABYTE = 1_000_000
SOURCES = [
    str(Path(__file__).parents[1] / part) for part in (".", "services/core", "services/audio", "services/worker")
]


@dataclass(frozen=True, slots=True)
class Run:
    """What one process measured of one recording; times in seconds.

    Attributes:
        source: the folder of the recording, or its minutes.
        first_window_seconds: from the call to the first window's report; nothing from engines that report none.
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
    """One engine on some recordings."""

    ready_seconds: float
    runs: tuple[Run, ...]

    @property
    def cost(self) -> float:
        """Processor seconds per second of audio."""
        return sum(run.processor_seconds for run in self.runs) / self.seconds

    @property
    def wall(self) -> float:
        """Seconds per second of audio."""
        return sum(run.wall_seconds for run in self.runs) / self.seconds

    @property
    def seconds(self) -> float:
        """Of audio."""
        return sum(run.seconds for run in self.runs)

    @property
    def first_window_seconds(self) -> float | None:
        """From the start of the process to the first window of the first recording, had it been read at once."""
        first = self.runs[0].first_window_seconds
        return None if first is None else self.ready_seconds + first

    def of(self, source: Path | int) -> Runs:
        """Return what was measured of one folder, or of a recording of so many minutes."""
        return Runs(self.ready_seconds, tuple(run for run in self.runs if run.source == str(source)))

    def errors(self, folder: Path, inside: Span | None = None) -> Errors:
        """Return the errors of all recordings together, against the folder's references."""
        scores = (errors(read_rttm(folder / f"{run.recording}.rttm"), run.turns, inside) for run in self.runs)
        return sum(scores, Errors())


def least(repeats: Sequence[Runs]) -> Runs:
    """Return each recording's cheapest run and the quickest start: what other work on the machine disturbed least."""
    pairs = zip(*(found.runs for found in repeats), strict=True)
    cheapest = tuple(min(runs, key=lambda run: run.processor_seconds) for runs in pairs)
    return Runs(min(found.ready_seconds for found in repeats), cheapest)


def measure_engine(
    engine: str,
    sources: Sequence[Path | int],
    python: str = sys.executable,
    variables: Mapping[str, str] = MappingProxyType({}),
) -> Runs:
    """Run an engine in a process of its own on folders and on recordings of so many minutes.

    Args:
        python: of the environment that the engine is installed in.
        variables: of its process besides ours.

    Raises:
        CalledProcessError: the engine failed; its last words are in `stderr`.
    """
    command = [python, "-m", "benchmarks.engine_run", engine, *map(str, sources)]
    environment = os.environ | ONE_THREAD | {"PYTHONPATH": os.pathsep.join(SOURCES)} | dict(variables)
    environment["PARLEY_BENCH_STARTED"] = str(time.time())
    output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    ready, *rows = (json.loads(line) for line in output.splitlines() if line.startswith("{"))
    return Runs(ready["ready_seconds"], tuple(_run(row) for row in rows))


def engine_rows(console: Console) -> list[Measure]:
    """Measure the default engine on the conversations, and on two long recordings."""
    console.print("bench: the engine on labelled conversations")
    folder = conversations()
    short = measure_engine("onnx", [folder])
    rows = [
        Measure(f"errors (DER, no collar, overlap counted), {_named(folder)}", short.errors(folder).rate, "%", 10.3),
        Measure("engine, processor seconds per audio second", short.cost, "s/s", 0.075, note="one thread"),
        Measure("engine, start to ready", short.ready_seconds, "s"),
    ]
    return rows + [_long_row(minutes, console) for minutes in LONG]


def _long_row(minutes: int, console: Console) -> Measure:
    console.print(f"bench: the engine on a recording of {minutes} minutes")
    found = measure_engine("onnx", [minutes])
    note = f"besides the waveform; {found.cost:.4f} processor seconds per audio second"
    return Measure(f"engine, peak memory, {minutes} minutes", found.runs[0].peak_bytes / MEGABYTE, "MB", 700, note=note)


def _named(folder: Path) -> str:
    count = len(list(folder.glob("*.flac")))
    return f"{count} conversations" if count > 1 else "the shipped conversation"


def _run(row: dict[str, object]) -> Run:
    turns = row.pop("turns")
    assert isinstance(turns, list)
    return Run(**row, turns=tuple(Turn(**turn) for turn in turns))  # type: ignore[arg-type]
