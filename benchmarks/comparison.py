"""What was measured of one engine beside others, as numbers, as a row of a table, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from benchmarks.contenders import Contender
from benchmarks.engine import MEGABYTE, Run, Runs
from benchmarks.recordings import Recordings


@dataclass(frozen=True, slots=True)
class Result:
    """One engine on every set, and on long recordings.

    Attributes:
        runs: of every set; those of the first are the cheapest of several, and the cost is taken from them.
        long: by minutes.
    """

    contender: Contender
    runs: Runs
    long: Mapping[int, Run]

    @property
    def title(self) -> str:
        return f"{self.contender.name}, {self.contender.setting}"

    def cost(self, sets: Sequence[Recordings]) -> float:
        """Processor seconds per second of audio, one thread, on the first set."""
        return self.runs.of(sets[0].folder).cost

    def rates(self, sets: Sequence[Recordings]) -> dict[str, float]:
        """Return the errors of each set in percent."""
        return {one.name: self.runs.of(one.folder).errors(one.folder, one.inside).rate for one in sets}

    def miscounted(self, sets: Sequence[Recordings]) -> dict[str, int]:
        """Return in how many recordings of each set the number of people is wrong."""
        return {one.name: one.miscounted(self.runs.of(one.folder).runs) for one in sets}

    def as_json(self, sets: Sequence[Recordings]) -> dict[str, Any]:
        """Return the row of bench/engine.json; times in seconds, rates in percent."""
        return {
            "name": self.contender.name,
            "setting": self.contender.setting,
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
        found = self.runs.of(one.folder)
        single = (Runs(found.ready_seconds, (run,)) for run in found.runs)
        return {runs.runs[0].recording: runs.errors(one.folder, one.inside).rate for runs in single}


Cells = list[list[str]]


def cells(results: Sequence[Result], sets: Sequence[Recordings]) -> Cells:
    """Return the table, its head first."""
    minutes = sorted({minutes for result in results for minutes in result.long})
    head = ["engine", "CPU s per audio s"]
    head += [f"DER, {one.name}; miscounted of {one.count}" for one in sets]
    head += ["ready, s", "first window, s", *(f"peak MB, {number} min" for number in minutes)]
    return [head, *(_row(result, sets, minutes) for result in results)]


def _row(result: Result, sets: Sequence[Recordings], minutes: Sequence[int]) -> list[str]:
    first, rates = result.runs.first_window_seconds, result.rates(sets).values()
    return [
        result.title,
        f"{result.cost(sets):.4f}",
        *(f"{rate:.2f} %; {wrong}" for rate, wrong in zip(rates, result.miscounted(sets).values(), strict=True)),
        f"{result.runs.ready_seconds:.1f}",
        "-" if first is None else f"{first:.1f}",
        *(f"{result.long[n].peak_bytes / MEGABYTE:.0f}" if n in result.long else "-" for n in minutes),
    ]


def as_table(table: Cells) -> Table:
    """Return it for a terminal."""
    shown = Table(title="Engines, one thread each, measured on this machine", title_justify="left")
    for number, name in enumerate(table[0]):
        shown.add_column(name, justify="right" if number else "left", overflow="fold")
    for row in table[1:]:
        shown.add_row(*row)
    return shown


def as_markdown(table: Cells) -> str:
    """Return it for a page."""
    rows = [table[0], ["---"] + ["---:"] * (len(table[0]) - 1), *table[1:]]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"
