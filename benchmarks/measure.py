"""One measured figure beside its goal; the table and the file that hold them all."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure with its unit and, where there is one, the goal it is held against.

    `least` says that more is better; else less is.
    """

    name: str
    value: float
    unit: str
    goal: float | None = None
    least: bool = False
    note: str = ""

    @property
    def met(self) -> bool | None:
        if self.goal is None:
            return None
        return self.value >= self.goal if self.least else self.value <= self.goal


def print_table(measures: list[Measure], console: Console) -> None:
    """Print one row per figure."""
    table = Table(title="Parley, measured on this machine", title_justify="left")
    for column in ("measure", "value", "goal", "", "note"):
        table.add_column(column, justify="right" if column in ("value", "goal") else "left", overflow="fold")
    for measure in measures:
        verdict = {None: "", True: "met", False: "MISSED"}[measure.met]
        goal = "" if measure.goal is None else f"{'≥' if measure.least else '≤'} {measure.goal:g} {measure.unit}"
        table.add_row(measure.name, f"{measure.value:.4g} {measure.unit}", goal, verdict, measure.note)
    console.print(table)


def write_json(measures: list[Measure], path: Path) -> None:
    """Write the figures with what they were measured on."""
    machine = {"python": platform.python_version(), "machine": platform.machine(), "system": platform.system()}
    rows: list[dict[str, Any]] = [{**asdict(measure), "met": measure.met} for measure in measures]
    path.write_text(json.dumps({"measured_on": machine, "measures": rows}, indent=2) + "\n")


Group = Callable[[Console], list[Measure]]
"""Measures that share a set-up; says on the console what it is doing."""
