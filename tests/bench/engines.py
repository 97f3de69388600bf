"""`make bench-engine`: engines side by side in one run, one thread each, on the same recordings.

`python -m tests.bench.engines NAME=FOLDER[:SECONDS]...` scores each folder of `NAME.flac` and `NAME.rttm`, its first
SECONDS only where given, and writes bench/engine.json. pyannote.audio takes part, unchanged, where
PARLEY_BENCH_PYANNOTE names the Python of an environment that has it, and PARLEY_PYANNOTE_PIPELINE a pipeline folder.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from parley_core.turns import Span
from tests.bench.der import read_rttm
from tests.bench.engine import Runs, measure_engine

OUTPUT = Path("bench") / "engine.json"


@dataclass(frozen=True, slots=True)
class Contender:
    """An engine by its name in the table, its name in Parley, and where it is installed."""

    name: str
    setting: str
    engine: str
    python: str = sys.executable


@dataclass(frozen=True, slots=True)
class Recordings:
    """A folder of labelled recordings; only what lies inside the span counts."""

    name: str
    folder: Path
    inside: Span | None

    @classmethod
    def from_argument(cls, argument: str) -> Recordings:
        """Read `NAME=FOLDER` or `NAME=FOLDER:SECONDS`."""
        name, _, place = argument.partition("=")
        folder, _, seconds = place.partition(":")
        return cls(name, Path(folder), Span(0, float(seconds)) if seconds else None)

    def miscounted(self, runs: Runs) -> int:
        """Return in how many recordings the number of speakers is wrong."""
        wrong = 0
        for run in runs.runs:
            truth = read_rttm(self.folder / f"{run.recording}.rttm")
            wrong += len({turn.speaker for turn in run.turns}) != len({turn.speaker for turn in truth})
        return wrong


def contenders() -> list[Contender]:
    """Return what can run here."""
    ours = [Contender("onnx", "default", "onnx"), Contender("onnx", "exact", "onnx-exact")]
    python = os.environ.get("PARLEY_BENCH_PYANNOTE")
    return [*ours, Contender("stock-pyannote", "batches of 8", "pyannote", python)] if python else ours


def main(arguments: list[str]) -> None:
    """Measure every engine on every folder, print a table and write it as JSON."""
    sets = [Recordings.from_argument(argument) for argument in arguments]
    rows = [_row(contender, sets) for contender in contenders()]
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps({"engines": rows}, indent=2) + "\n")
    _print(rows, sets)


def _row(contender: Contender, sets: list[Recordings]) -> dict[str, object]:
    Console(stderr=True).print(f"bench: {contender.name} ({contender.setting})")
    measured = {part.name: (part, measure_engine(contender.engine, part.folder, contender.python)) for part in sets}
    runs = [run for _, found in measured.values() for run in found.runs]
    return {
        "name": contender.name,
        "setting": contender.setting,
        "cpu_seconds_per_audio_second": Runs(0, tuple(runs)).cost,
        "der": {name: found.errors(part.folder, part.inside).rate for name, (part, found) in measured.items()},
        "miscounted": {name: part.miscounted(found) for name, (part, found) in measured.items()},
        "ready_seconds": min(found.ready_seconds for _, found in measured.values()),
        "peak_bytes": max(run.peak_bytes for run in runs),
    }


def _print(rows: list[dict[str, object]], sets: list[Recordings]) -> None:
    table = Table(title="Engines, measured on this machine", title_justify="left")
    for column in ("engine", "CPU s per audio s", *(f"DER {part.name}, %" for part in sets), "ready s", "peak MB"):
        table.add_column(column, justify="left" if column == "engine" else "right")
    for row in rows:
        rates, cost, ready, peak = (
            row["der"],
            row["cpu_seconds_per_audio_second"],
            row["ready_seconds"],
            row["peak_bytes"],
        )
        assert isinstance(rates, dict)
        name = f"{row['name']} ({row['setting']})"
        scores = [f"{rate:.2f}" for rate in rates.values()]
        table.add_row(name, f"{cost:.4f}", *scores, f"{ready:.1f}", f"{float(str(peak)) / 1e6:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
