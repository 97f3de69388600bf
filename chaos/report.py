"""The table: per fault what was accepted, lost and committed twice, how often jobs ran, and how soon all was well."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from chaos.round import Outcome, percentile
from chaos.schedule import every_fault
from chaos.system import ROOT

HEAD = (
    "| fault | accepted | lost | committed twice | executions per job: mean (max) "
    "| recovery in s: p50 / p95 / max | by hand |\n"
    "|---|---:|---:|---:|---:|---:|---:|\n"
)


def row_of(outcome: Outcome) -> dict[str, Any]:
    """One fault as plain data."""
    verdict, fault = outcome.verdict, outcome.fault
    return {
        "fault": fault.name,
        "what": fault.says,
        "accepted": verdict.accepted,
        "lost": len(verdict.lost),
        "committed_twice": len(verdict.committed_twice),
        "two_jobs_for_one_key": len(verdict.doubled),
        "failed": verdict.failed,
        "executions": {"mean": round(mean(verdict.executions or (0,)), 2), "max": max(verdict.executions, default=0)},
        "recovery_seconds": _recovery(outcome.recoveries),
        "bound_seconds": fault.bound,
        "by_hand": len(outcome.hand_work),
        "commits_refused": verdict.commits_refused,
        "counters_differ": list(verdict.differences),
        "answers": {str(status): count for status, count in sorted(outcome.answers.items())},
        "problems": list(outcome.problems),
        "seconds": round(outcome.seconds, 1),
    }


def _recovery(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    found = {"p50": percentile(values, 0.5), "p95": percentile(values, 0.95), "max": max(values)}
    return {"samples": len(values), **{name: round(value, 2) for name, value in found.items()}}


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """The whole table, with a line of sums."""
    lines = "".join(_line(row) for row in rows)
    sums = {name: sum(row[name] for row in rows) for name in ("accepted", "lost", "committed_twice", "by_hand")}
    total = (
        f"| **all** | **{sums['accepted']}** | **{sums['lost']}** | **{sums['committed_twice']}** | | "
        f"| **{sums['by_hand']}** |\n"
    )
    return HEAD + lines + total


def _line(row: dict[str, Any]) -> str:
    times, runs = row["recovery_seconds"], row["executions"]
    recovery = f"{times['p50']:.1f} / {times['p95']:.1f} / {times['max']:.1f}" if times else "-"
    return (
        f"| {row['fault']} | {row['accepted']} | {row['lost']} | {row['committed_twice']} "
        f"| {runs['mean']:.2f} ({runs['max']}) | {recovery} | {row['by_hand'] or 'none'} |\n"
    )


def write_json(rows: Sequence[dict[str, Any]], seed: str, path: Path) -> None:
    path.write_text(json.dumps({"seed": seed, "python": platform.python_version(), "faults": rows}, indent=2) + "\n")


def write_documents(rows: Sequence[dict[str, Any]], seed: str) -> None:
    """Write the table into docs/faults.md.

    Faults that were not run now keep their rows of an earlier run, which docs/faults.json remembers.
    """
    figures = ROOT / "docs" / "faults.json"
    known = json.loads(figures.read_text())["faults"] if figures.exists() else []
    rows = in_order([*known, *rows])
    write_json(rows, seed, figures)
    (ROOT / "docs" / "faults.md").write_text(_page(rows, seed))


def in_order(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The last row of each fault, in the order of the schedule; rows of faults that are no more are left out."""
    last = {row["fault"]: row for row in rows}
    return [last[fault.name] for fault in every_fault() if fault.name in last]


def _page(rows: Sequence[dict[str, Any]], seed: str) -> str:
    what = "".join(f"- **{row['fault']}**: {row['what']}.\n" for row in rows)
    return f"""# Faults

Written by `make faults` (seed {seed}; a fault that was run again alone has its newest row). For each fault a whole
system of real processes is started: an append-only Valkey, API processes, keepers and workers with an engine that takes
a fraction of a second. A client submits through the HTTP API and writes every accepted id into a ledger before it
counts it. The fault strikes under this load; then everything heals by itself; then the ledger is held to the record.

{markdown(rows)}
**Lost**: accepted with a 202, and unknown or not at an end afterwards. **Committed twice**: more than one end in a
job's events, or more commits counted than jobs that succeeded. **Executions**: attempts begun. **Recovery**: after a
blow to workers, from the last that hit a job to its end; after an outage, from its end to that of the jobs that were
being worked on, to the record of the jobs accepted meanwhile, and to the first attempt. **By hand**: jobs and parts
that did not come right by themselves. After each fault the counters of `/metrics` equal the record to the job.

Blows to workers fall one at a time, eight seconds apart, under a load that one worker can carry alone. Under more than
the rest can carry, a job that lost its worker also waits in the queue behind younger ones: in the first run, with 3
jobs a second, a kill each 3 s and a busy machine, `worker killed` took 27.8 / 30.3 / 30.3 s missing its bound of 9 s.

Leases are 3 s where no other is said (30 s is the default), and waits between attempts 1, 2 and 4 s where the object
store fails (60, 120 and 240 s are the default).

## What happens
{what}"""
