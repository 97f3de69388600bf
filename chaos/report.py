"""The table: per fault accepted, lost and doubly committed jobs, executions, and recovery."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from chaos import spans, webhooks
from chaos.figures import percentile
from chaos.round import Outcome
from chaos.schedule import every_fault
from chaos.system import ROOT

HEAD = (
    "| fault | accepted | lost | committed twice | executions per job: mean (max) "
    "| recovery in s: p50 / p95 / max | manual interventions | attempts with a span | ends delivered |\n"
    "|---|---:|---:|---:|---:|---:|---:|---:|---:|\n"
)


def row_of(outcome: Outcome) -> dict[str, Any]:
    """Return the outcome of one fault as plain data."""
    result, fault = outcome.result, outcome.fault
    return {
        "fault": fault.name,
        "description": fault.description,
        "accepted": result.accepted,
        "lost": len(result.lost),
        "committed_twice": len(result.committed_twice),
        "two_jobs_for_one_key": len(result.doubled),
        "failed": result.failed,
        "executions": {"mean": round(mean(result.executions or (0,)), 2), "max": max(result.executions, default=0)},
        "recovery_seconds": _recovery(outcome.recoveries),
        "bound_seconds": fault.bound,
        "manual_interventions": len(outcome.manual_interventions),
        "commits_refused": result.commits_refused,
        "counters_differ": list(result.differences),
        "spans": outcome.spans.counts.as_json(),
        "deliveries": outcome.deliveries.counts.as_json(),
        "celery_spans": outcome.spans.celery.as_json() if outcome.spans.celery else None,
        "answers": {str(status): count for status, count in sorted(outcome.answers.items())},
        "figures": outcome.figures,
        "problems": list(outcome.problems),
        "seconds": round(outcome.seconds, 1),
    }


def _recovery(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    found = {"p50": percentile(values, 0.5), "p95": percentile(values, 0.95), "max": max(values)}
    return {"samples": len(values), **{name: round(value, 2) for name, value in found.items()}}


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """Return the table with a line of sums."""
    lines = "".join(_line(row) for row in rows)
    sums = {
        name: sum(row[name] for row in rows) for name in ("accepted", "lost", "committed_twice", "manual_interventions")
    }
    traced = _sums(rows, "spans", ("attempts", "missing", "surplus", "superseded"))
    delivered = _sums(rows, "deliveries", ("ends", "missing", "again"))
    total = (
        f"| **all** | **{sums['accepted']}** | **{sums['lost']}** | **{sums['committed_twice']}** | | "
        f"| **{sums['manual_interventions']}** | **{spans.stated(traced)}** "
        f"| **{webhooks.stated(delivered)}** |\n"
    )
    return HEAD + lines + total


def _line(row: dict[str, Any]) -> str:
    times, runs = row["recovery_seconds"], row["executions"]
    recovery = f"{times['p50']:.1f} / {times['p95']:.1f} / {times['max']:.1f}" if times else "-"
    return (
        f"| {row['fault']} | {row['accepted']} | {row['lost']} | {row['committed_twice']} "
        f"| {runs['mean']:.2f} ({runs['max']}) | {recovery} | {row['manual_interventions'] or 'none'} "
        f"| {spans.stated(row.get('spans'))} | {webhooks.stated(row.get('deliveries'))} |\n"
    )


def _sums(rows: Sequence[dict[str, Any]], what: str, names: Sequence[str]) -> dict[str, int]:
    """Return the sums of these counts over the rows that have them."""
    counted = [row[what] for row in rows if row.get(what)]
    return {name: sum(one.get(name, 0) for one in counted) for name in names}


def write_json(rows: Sequence[dict[str, Any]], seed: str, path: Path) -> None:
    path.write_text(json.dumps({"seed": seed, "python": platform.python_version(), "faults": rows}, indent=2) + "\n")


def write_documents(rows: Sequence[dict[str, Any]], seed: str) -> None:
    """Write docs/faults.md and docs/faults.json. Faults that were not run keep their earlier rows."""
    figures = ROOT / "docs" / "faults.json"
    known = json.loads(figures.read_text())["faults"] if figures.exists() else []
    rows = in_order([*known, *rows])
    write_json(rows, seed, figures)
    (ROOT / "docs" / "faults.md").write_text(_page(rows, seed))


def in_order(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the last row of each fault of the schedule, in its order."""
    last = {row["fault"]: row for row in rows}
    return [last[fault.name] for fault in every_fault() if fault.name in last]


def _page(rows: Sequence[dict[str, Any]], seed: str) -> str:
    what = "".join(_explained(row) for row in rows)
    return f"""# Faults

Written by `make faults` (seed {seed}; a fault that was run again alone has its newest row). Each fault gets a new
system of real processes: an append-only Valkey, API processes, keepers and workers with an engine that takes a
fraction of a second. A client submits through the HTTP API and writes every accepted id to a ledger. The harness
injects the fault under this load and waits until all jobs have ended. The checker then compares the ledger with the
record.

{markdown(rows)}
**Lost**: accepted with a 202, and afterwards unknown or not ended. **Committed twice**: more ends
counted than jobs have. **Executions**: attempts started, with those that a planned stop ended and that do not count.
**Recovery**: after a fault of a worker, from the last fault that affected a job to its end. After an outage, from its
end to that of the jobs that were running, to the record of the jobs accepted meanwhile, and to the first attempt.
**Manual interventions**: jobs and parts that did not recover by themselves. After each fault the counters of
`/metrics` equal the record exactly.
**Attempts with a span**: the keeper sends one trace per job to a collector. After each fault every attempt that the
record counts has one span, every run has one, all are in the trace of their job, and there are no others.
"Superseded" are attempts beside the one of the end, since Redis had lost the claim of that one: their spans have
another name.
**Ends delivered**: each job names a receiver of webhooks, whose first answer is an error. After each fault every
end has arrived at least once, with an id of its own, signed, with the same body each time, and nothing else has.
"Again" are deliveries of an end that had arrived before.

A row whose machine was too busy for the bound of the recovery has its times from an earlier run.

Faults of workers are injected one at a time, eight seconds apart, under a load that one worker can carry alone. Under
a higher load, a job that lost its worker also waits in the queue behind newer ones: with 3 jobs a second, a kill
every 3 s and a busy machine, `worker killed` took 27.8 / 30.3 / 30.3 s, above its bound of 9 s.

Leases are 3 s unless stated otherwise (the default is 30 s). Where the object store fails, the waits between attempts
are 1, 2 and 4 s (the defaults are 60, 120 and 240 s).

{_stock(rows)}## Faults
{what}"""


def _stock(rows: Sequence[dict[str, Any]]) -> str:
    """Return the comparison with the stock instrumentation of Celery, of the faults that ran beside it."""
    beside = [row for row in rows if row.get("celery_spans")]
    lines = [
        f"| {row['fault']} | {spans.stated(row['spans'])} | {spans.stated(row['celery_spans'])} |\n" for row in beside
    ]
    if not lines:
        return ""
    return f"""## Beside the stock instrumentation of Celery
The same runs with `opentelemetry-instrumentation-celery` in the workers (`python -m chaos --beside-celery`), set up as
its manual says. Its spans live in the process that runs the task: a killed child takes its open span along, and those
that wait up to five seconds to be sent. A message that Redis delivers twice is a span, although no attempt began.

| fault | attempts with a span of Parley | with a span of the stock instrumentation |
|---|---:|---:|
{"".join(lines)}
"""


def _explained(row: dict[str, Any]) -> str:
    figures = "".join(f" {name[:1].upper()}{name[1:]}: {figure}." for name, figure in row.get("figures", {}).items())
    return f"- **{row['fault']}**: {row['description']}.{figures}\n"
