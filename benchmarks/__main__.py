"""`make bench`: measures every figure that the README states, prints a table and writes bench.json.

Where possible, figures are ratios, shares and bounds, with one engine thread, since machines are shared and noisy.
`python -m benchmarks NAME...` measures only the named groups.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from benchmarks.measure import Measure, print_table, write_json
from benchmarks.system.audit import audit_rows
from benchmarks.system.checkpoints import checkpoint_rows
from benchmarks.system.confinement import confinement_rows
from benchmarks.system.engine import engine_rows
from benchmarks.system.held_connections import held_connection_rows
from benchmarks.system.observation import observation_rows
from benchmarks.system.recovery import recovery_rows
from benchmarks.system.redis import redis_rows
from benchmarks.system.scale import scale_rows
from benchmarks.system.service import service_rows
from benchmarks.system.start import start_rows
from benchmarks.system.structure_bombs import structure_bomb_rows
from benchmarks.system.traces import trace_rows
from benchmarks.system.upload import upload_rows

GROUPS: dict[str, Callable[[Console], list[Measure]]] = {
    "start": start_rows,
    "service": service_rows,
    "upload": upload_rows,
    "confinement": confinement_rows,
    "held-connections": held_connection_rows,
    "structure-bombs": structure_bomb_rows,
    "redis": redis_rows,
    "traces": trace_rows,
    "audit": audit_rows,
    "engine": engine_rows,
    "checkpoints": checkpoint_rows,
}
LONG: dict[str, Callable[[Console], list[Measure]]] = {
    "observation": observation_rows,
    "recovery": recovery_rows,
    "scale": scale_rows,
}
"""Groups that take five minutes and more: measured by name only."""


def main(names: list[str]) -> int:
    """Run the named groups, or all of them but the long ones.

    Returns:
        The exit status: 1 if a goal was missed, 2 if a name is unknown.
    """
    progress, output = Console(stderr=True), Console()
    groups = GROUPS | LONG
    if unknown := set(names) - groups.keys():
        progress.print(f"Unknown group: {', '.join(sorted(unknown))}. Groups: {', '.join(groups)}.")
        return 2
    measures = [measure for name in names or GROUPS for measure in groups[name](progress)]
    print_table(measures, output)
    write_json(measures, Path("bench.json"))
    output.print("Written to bench.json.")
    return int(any(measure.met is False for measure in measures))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
