"""What an event of the audit log costs a request, in processor time."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from rich.console import Console

from benchmarks.measure import Measure
from parley_api.http.audit_log import AuditLog

BLOCKS, EVENTS = 15, 2000
ID = "01a21e20-b595-7b59-bf36-5eb08669adbe"
EVENT = {"outcome": "done", "status": 200, "tenant": "clinic", "key": "3f9a1c07d2be", "job": ID, "target": ID}
TRACED = {"request_id": ID.replace("-", ""), "trace_id": ID.replace("-", "")}


def audit_rows(console: Console) -> list[Measure]:
    """Measure the processor time of an event in a file, in microseconds, and its bytes."""
    console.print(f"bench: {BLOCKS} blocks of {EVENTS} events of the audit log")
    with tempfile.TemporaryDirectory() as folder:
        log = AuditLog(Path(folder))
        taken = []
        for _ in range(BLOCKS):
            began = time.process_time()
            for _ in range(EVENTS):
                log.write("result.read", **EVENT, **TRACED)
            taken.append((time.process_time() - began) * 1e6 / EVENTS)
        size = sum(file.stat().st_size for file in Path(folder).iterdir()) / (BLOCKS * EVENTS)
    return [
        Measure("processor time of an event of the audit log", statistics.median(taken), "µs", 100, note="a file"),
        Measure("bytes of an event of the audit log", size, "bytes"),
    ]
