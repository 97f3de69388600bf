"""`python -m chaos`: run the schedule of faults, print the table, write it down."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from chaos.report import markdown, row_of, write_documents, write_json
from chaos.round import Outcome, run_fault
from chaos.schedule import Fault, every_fault, scaled

LANES = 2  # faults at a time: most of a round is waiting


def main() -> int:
    """Return 0 when every promise was kept."""
    options = _options()
    faults = _chosen(options)
    if options.list:
        print("\n".join(f"{fault.name:45} {fault.says}" for fault in faults))
        return 0
    outcomes = run(faults, options.seed, options.lanes)
    rows = [row_of(outcome) for outcome in outcomes]
    print(f"\n{markdown(rows)}")
    if options.json:
        write_json(rows, options.seed, options.json)
    if options.write:
        write_documents(rows, options.seed)
    return 1 if any(outcome.problems for outcome in outcomes) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--seed", default="1", help="of every choice that is left to chance")
    parser.add_argument("--jobs", type=int, help="submit at least so many in all")
    parser.add_argument("--only", action="append", metavar="FAULT", help="only faults whose name begins like this")
    parser.add_argument("--short", action="store_true", help="only those of the short schedule")
    parser.add_argument("--lanes", type=int, default=LANES, help="faults at a time, each on a system of its own")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--write", action="store_true", help="into docs/faults.md")
    parser.add_argument("--list", action="store_true")
    return parser.parse_args()


def _chosen(options: argparse.Namespace) -> list[Fault]:
    faults = [fault for fault in every_fault() if not options.short or fault.short]
    if options.only:
        faults = [fault for fault in faults if any(fault.name.startswith(name) for name in options.only)]
    return scaled(faults, options.jobs) if options.jobs else faults


def run(faults: Sequence[Fault], seed: str, lanes: int) -> list[Outcome]:
    """Run the faults, some side by side, and say how each went; those that cannot run here are named."""
    possible = []
    for fault in faults:
        if reason := fault.needs():
            print(f"skipped  {fault.name}: {reason}", flush=True)
        else:
            possible.append(fault)
    with ThreadPoolExecutor(lanes) as pool:
        return list(pool.map(lambda fault: _run_one(fault, seed), possible))


def _run_one(fault: Fault, seed: str) -> Outcome:
    print(f"{time.strftime('%H:%M:%S')} begins {fault.name}", flush=True)
    outcome = run_fault(fault, seed)
    verdict = outcome.verdict
    print(
        f"{time.strftime('%H:%M:%S')} {'BROKEN' if outcome.problems else 'kept  '} {fault.name}: "
        f"{verdict.accepted} accepted, {len(verdict.lost)} lost, {len(verdict.committed_twice)} committed twice, "
        f"{outcome.seconds:.0f} s",
        *(f"\n         {problem}" for problem in outcome.problems),
        flush=True,
    )
    return outcome


if __name__ == "__main__":
    sys.exit(main())
