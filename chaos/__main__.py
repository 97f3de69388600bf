"""Run the schedule of faults, print the table and write it to docs/faults.md."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from chaos import spans, webhooks
from chaos.leftovers import reaped
from chaos.report import markdown, row_of, write_documents, write_json
from chaos.round import Outcome, run_fault
from chaos.schedule import Fault, every_fault, scaled

LANES = 2  # faults at a time, since a round mostly waits


def main() -> int:
    """Return the exit status: 0 if every promise was kept."""
    options = _options()
    faults = _chosen(options)
    if options.list:
        print("\n".join(f"{fault.name:45} {fault.description}" for fault in faults))
        return 0
    with reaped():
        outcomes = run(faults, options.seed, options.lanes, options.beside_celery)
    rows = [row_of(outcome) for outcome in outcomes]
    print(f"\n{markdown(rows)}")
    if options.json:
        write_json(rows, options.seed, options.json)
    if options.write:
        write_documents(rows, options.seed)
    return 1 if any(outcome.problems for outcome in outcomes) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--seed", default="1", help="seed of all random choices")
    parser.add_argument("--jobs", type=int, help="minimum number of submitted jobs in total")
    parser.add_argument("--only", action="append", metavar="FAULT", help="only faults whose name starts with FAULT")
    parser.add_argument("--short", action="store_true", help="only the faults of the short schedule")
    parser.add_argument("--lanes", type=int, default=LANES, help="number of faults at a time, each on its own system")
    parser.add_argument("--beside-celery", action="store_true", help="count spans of Celery's stock traces, too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    parser.add_argument("--write", action="store_true", help="write the table to docs/faults.md")
    parser.add_argument("--list", action="store_true", help="list the faults")
    return parser.parse_args()


def _chosen(options: argparse.Namespace) -> list[Fault]:
    faults = [fault for fault in every_fault() if not options.short or fault.short]
    if options.only:
        faults = [fault for fault in faults if any(fault.name.startswith(name) for name in options.only)]
    return scaled(faults, options.jobs) if options.jobs else faults


def run(faults: Sequence[Fault], seed: str, lanes: int, beside_celery: bool = False) -> list[Outcome]:
    """Run the faults, `lanes` at a time, and return their outcomes. Prints which faults cannot run here."""
    possible = []
    for fault in faults:
        if reason := fault.needs():
            print(f"skipped  {fault.name}: {reason}", flush=True)
        else:
            possible.append(fault)
    with ThreadPoolExecutor(lanes) as pool:
        return list(pool.map(lambda fault: _run_one(fault, seed, beside_celery), possible))


def _run_one(fault: Fault, seed: str, beside_celery: bool) -> Outcome:
    print(f"{time.strftime('%H:%M:%S')} started {fault.name}", flush=True)
    outcome = run_fault(fault, seed, beside_celery)
    result = outcome.result
    print(
        f"{time.strftime('%H:%M:%S')} {'BROKEN' if outcome.problems else 'kept  '} {fault.name}: "
        f"{result.accepted} accepted, {len(result.lost)} lost, {len(result.committed_twice)} committed twice, "
        f"spans of {spans.stated(outcome.spans.counts.as_json())} attempts, "
        f"deliveries of {webhooks.stated(outcome.deliveries.counts.as_json())} ends, {outcome.seconds:.0f} s",
        *([f"\n         stock: {outcome.spans.celery}"] if outcome.spans.celery else []),
        *(f"\n         {problem}" for problem in outcome.problems),
        flush=True,
    )
    return outcome


if __name__ == "__main__":
    sys.exit(main())
