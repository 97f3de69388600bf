"""`make fuzz`: submit changed recordings to a real API for minutes, and keep what is not treated as it should.

A finding is written to build/fuzz; its number goes into tests/integration/test_fuzzing.py, where it stays as a case.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from parley_core.ports import RecordingStore
from parley_core.settings import Settings
from parley_core.storage.objects import object_store
from tests.support.api_process import ApiProcess
from tests.support.fuzzing import Finding, findings, footprint
from tests.support.mutations import mutant
from tests.support.valkey import Valkey

KEPT = Path("build/fuzz")
TOLD_EVERY = 500
WARM_UP = 50  # recordings, after which the memory is taken for comparison
MOST_GROWTH_MIB = 50.0


def main() -> int:
    """Return the exit status: 1 for any finding."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--first", type=int, default=int(time.time()), help="number of the first recording")
    options = parser.parse_args()
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="parley-fuzz-") as home:
        server = Valkey(Path(home) / "valkey")
        server.start()
        settings = Settings(redis_url=server.url, objects_url=f"file://{home}/objects")
        try:
            with ApiProcess(settings, Path(home) / "api.log") as api:
                found = list(run(api, object_store(settings), options, console))
        finally:
            server.stop()
    for finding in found:
        KEPT.mkdir(parents=True, exist_ok=True)
        (KEPT / str(finding.number)).write_bytes(mutant(finding.number)[1])
        console.print(f"fuzz: {finding}")
    return 1 if found else 0


def run(api: ApiProcess, objects: RecordingStore, options: argparse.Namespace, console: Console) -> Iterator[Finding]:
    """Yield findings until the time is over; the last one tells what has been left behind."""
    list(findings(api, range(options.first, options.first + WARM_UP)))
    before, memory = footprint(api, objects), api.resident_bytes()
    ends, done = time.monotonic() + options.minutes * 60, 0
    for finding in findings(api, itertools.count(options.first + WARM_UP)):
        if finding:
            yield finding
        done += 1
        if done % TOLD_EVERY == 0:
            console.print(f"fuzz: {done} recordings")
        if time.monotonic() > ends:
            break
    grown = (api.resident_bytes() - memory) / 2**20
    after = footprint(api, objects)
    console.print(f"fuzz: {done} recordings, first {options.first}; the API grew by {grown:.1f} MiB; {after}")
    if grown > MOST_GROWTH_MIB or after.recordings or after.processes > before.processes:
        yield Finding(options.first, "all", f"left behind: {after} after {before}, {grown:.1f} MiB of memory")


if __name__ == "__main__":
    sys.exit(main())
