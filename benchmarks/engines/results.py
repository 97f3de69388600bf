"""The results of the compared engines as figures, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from benchmarks.data.recordings import Recordings
from benchmarks.engines.candidates import Candidate
from benchmarks.engines.process import Run, Runs

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Result:
    """One engine on every set, and on long recordings.

    Attributes:
        candidate: the engine.
        runs: of every set; those of the first are the cheapest of several, and the cost is that of the first set.
        long: by minutes.
    """

    candidate: Candidate
    runs: Runs
    long: Mapping[int, Run]

    @property
    def title(self) -> str:
        """Name and setting of the engine."""
        return f"{self.candidate.name}, {self.candidate.setting}"

    def cost(self, sets: Sequence[Recordings]) -> float:
        """Return processor seconds per second of audio, one thread, on the first set."""
        return self.runs.of(sets[0].folder).cost

    def rates(self, sets: Sequence[Recordings]) -> dict[str, float]:
        """Return the DER of each set in percent."""
        return {one.name: self.runs.of(one.folder).errors(one.folder, one.inside).rate for one in sets}

    def miscounted(self, sets: Sequence[Recordings]) -> dict[str, int]:
        """Return in how many recordings of each set the number of speakers is wrong."""
        return {one.name: self.runs.of(one.folder).miscounted(one) for one in sets}

    def as_json(self, sets: Sequence[Recordings]) -> dict[str, Any]:
        """Return the row of bench/engine.json; times in seconds, rates in percent."""
        return {
            "name": self.candidate.name,
            "setting": self.candidate.setting,
            "cpu_seconds_per_audio_second": self.cost(sets),
            "wall_seconds_per_audio_second": self.runs.of(sets[0].folder).wall,
            "der": self.rates(sets),
            "miscounted": self.miscounted(sets),
            "recordings": {one.name: self._recordings(one) for one in sets},
            "ready_seconds": self.runs.ready_seconds,
            "first_window_seconds": self.runs.first_window_seconds,
            "peak_bytes": {minutes: run.peak_bytes for minutes, run in self.long.items()},
            "cpu_seconds_per_audio_second_by_minutes": {
                minutes: run.processor_seconds / run.seconds for minutes, run in self.long.items()
            },
        }

    def _recordings(self, one: Recordings) -> dict[str, float]:
        """Return the DER of each recording of a set in percent."""
        found = self.runs.of(one.folder)
        return {
            run.recording: Runs(found.ready_seconds, (run,)).errors(one.folder, one.inside).rate for run in found.runs
        }


Cells = list[list[str]]


def cells(results: Sequence[Result], sets: Sequence[Recordings]) -> Cells:
    """Return the rows of the table, the header first."""
    minutes = sorted({minutes for result in results for minutes in result.long})
    header = ["engine", "CPU s per audio s"]
    header += [f"DER, {one.name}; miscounted of {one.count}" for one in sets]
    header += ["ready, s", "first window, s"]
    header += [f"peak MB, {number} min" for number in minutes]
    return [header, *(_row(result, sets, minutes) for result in results)]


def _row(result: Result, sets: Sequence[Recordings], minutes: Sequence[int]) -> list[str]:
    first_window = result.runs.first_window_seconds
    miscounted = result.miscounted(sets)
    row = [result.title, f"{result.cost(sets):.4f}"]
    row += [f"{rate:.2f} %; {miscounted[name]}" for name, rate in result.rates(sets).items()]
    row += [f"{result.runs.ready_seconds:.1f}", "-" if first_window is None else f"{first_window:.1f}"]
    row += [f"{result.long[n].peak_bytes / MEGABYTE:.0f}" if n in result.long else "-" for n in minutes]
    return row


def as_table(table: Cells, processor: str) -> Table:
    """Return the table for a terminal."""
    shown = Table(title=f"Engines, one thread each, on {processor}", title_justify="left")
    for number, name in enumerate(table[0]):
        shown.add_column(name, justify="right" if number else "left", overflow="fold")
    for row in table[1:]:
        shown.add_row(*row)
    return shown


def as_markdown(table: Cells) -> str:
    """Return the table for a page."""
    rows = [table[0], ["---"] + ["---:"] * (len(table[0]) - 1), *table[1:]]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"
