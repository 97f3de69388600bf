"""Print what `make structure` measures; `--json` for programs, `--list` with the names behind each number."""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from tools.structure import code, paths

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Measure:
    """One number, the largest one wanted, and what it counts."""

    name: str
    value: float
    wanted: float
    found: list[str]


def measures() -> list[Measure]:
    """Return every measure of services/."""
    files = code.python_files(ROOT / "services")
    functions = code.functions(files)
    long_files = [file for file in files if code.count_lines([file]) > code.LONG_FILE]
    core = ROOT / "services" / "core"
    submitted, attempted = paths.measure()
    imported = packages_of_the_client()
    return [
        Measure("tokens of the median function", statistics.median(found.tokens for found in functions), 45, []),
        of("private helpers with one caller, four lines or fewer", code.short_helpers(files), 25),
        of("files over 400 lines", long_files, 0),
        of("functions over 50 lines", [found for found in functions if found.lines > code.LONG_FUNCTION], 0),
        Measure("lines of services/core", code.count_lines([*core.rglob("*.py"), *core.rglob("*.lua")]), 2800, []),
        of("files entered by one submit", submitted, 24),
        of("files entered by one attempt, without the engine's", attempted, 16),
        of("of rich and typer, those that `import parley` loads", imported, 0),
    ]


def of(name: str, found: Sequence[object], wanted: int) -> Measure:
    """Return the measure that counts these."""
    return Measure(name, len(found), wanted, [str(one).removeprefix(f"{ROOT}/") for one in found])


def packages_of_the_client() -> list[str]:
    """Return those of rich and typer that a process has loaded after `import parley`."""
    command = [sys.executable, "-c", "import sys, parley; print(*sys.modules)"]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return [name for name in ("rich", "typer") if name in loaded]


def main() -> None:
    """Print the table, or the same as JSON."""
    parser = argparse.ArgumentParser(prog="python -m tools.structure", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--list", action="store_true", help="print what each number counts")
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    taken = measures()
    if asked.json:
        print(json.dumps({found.name: {"value": found.value, "found": found.found} for found in taken}, indent=2))
        return
    for found in taken:
        print(f"{found.value:>6g}  (wanted {found.wanted:g})  {found.name}")
        for one in found.found if asked.list else ():
            print(f"          {one}")


if __name__ == "__main__":
    main()
