"""`make bench`: every figure that Parley states of itself, measured here and now, as a table and as bench.json.

Figures are ratios, shares and bounds where they can be, one engine thread, since machines are shared and noisy.
`python -m benchmarks NAME...` measures only these groups.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from benchmarks.engine import engine_rows
from benchmarks.measure import Measure, print_table, write_json
from benchmarks.start_rows import start_rows
from benchmarks.system_rows import system_rows
from benchmarks.upload import upload_rows

GROUPS: dict[str, Callable[[Console], list[Measure]]] = {
    "start": start_rows,
    "system": system_rows,
    "upload": upload_rows,
    "engine": engine_rows,
}


def main(names: list[str]) -> int:
    """Run the named groups, or all; return 1 when a goal was missed."""
    progress, output = Console(stderr=True), Console()
    if unknown := set(names) - GROUPS.keys():
        progress.print(f"No such group: {', '.join(sorted(unknown))}. There are: {', '.join(GROUPS)}.")
        return 2
    measures = [measure for name in names or GROUPS for measure in GROUPS[name](progress)]
    print_table(measures, output)
    write_json(measures, Path("bench.json"))
    output.print("Written to bench.json.")
    return int(any(measure.met is False for measure in measures))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
