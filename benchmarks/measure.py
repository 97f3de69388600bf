"""A measured figure and its goal, as rows of a table and as JSON."""

from __future__ import annotations

import json
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


def standard_error(values: Sequence[float]) -> float:
    """Return the standard error of the mean of independent figures, at least two."""
    return statistics.stdev(values) / len(values) ** 0.5


@dataclass(frozen=True, slots=True)
class Measure:
    """A measured figure.

    Attributes:
        name: what was measured.
        value: the figure.
        unit: of the figure and of the goal.
        goal: bound that the figure should keep, if there is one.
        at_least: the goal is a lower bound; default: an upper bound.
        note: printed beside it.
    """

    name: str
    value: float
    unit: str
    goal: float | None = None
    at_least: bool = False
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without a goal."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.at_least else self.value <= self.goal


def print_table(measures: list[Measure], console: Console) -> None:
    """Print one row per figure."""
    table = Table(title="Parley, measured on this machine", title_justify="left")
    for column in ("measure", "value", "goal", "", "note"):
        table.add_column(column, justify="right" if column in ("value", "goal") else "left", overflow="fold")
    for measure in measures:
        status = {None: "", True: "met", False: "MISSED"}[measure.met]
        goal = "" if measure.goal is None else f"{'≥' if measure.at_least else '≤'} {measure.goal:g} {measure.unit}"
        table.add_row(measure.name, f"{measure.value:.4g} {measure.unit}", goal, status, measure.note)
    console.print(table)


def write_json(measures: list[Measure], path: Path) -> None:
    """Write the figures and the machine that they were measured on."""
    rows: list[dict[str, Any]] = [{**asdict(measure), "met": measure.met} for measure in measures]
    path.write_text(json.dumps({"measured_on": machine(), "measures": rows}, indent=2) + "\n")


def machine() -> dict[str, str]:
    """Return what figures depend on: Python, system, architecture and processor."""
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": processor(),
    }


def processor() -> str:
    """Return the name of the processor, with "VNNI" where it has these instructions; "unknown" outside Linux."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return "unknown"
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    named = {key.strip(): value.strip() for key, value in fields.items()}
    vnni = "VNNI" if "vnni" in named.get("flags", "") else "no VNNI"
    return f"{named.get('model name', 'unknown')} ({vnni})"
