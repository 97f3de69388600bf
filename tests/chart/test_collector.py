"""The OpenTelemetry collector (Go) takes the spans of a killed worker's jobs, and reads the logs as the manual says."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import Any

import yaml

from chaos.spans import differences
from parley_core.job import JobState
from parley_core.settings import Settings
from tests.chart.rendering import tool
from tests.support.otelcol import NAME, OtelCollector
from tests.support.valkey import Valkey
from tests.support.waiting import until
from tests.support.worker import ParleyProcess, System, running_system

GATED = "tests.support.engines:Gated"
MANUAL = Path(__file__).parents[2] / "docs" / "how-to" / "watch-parley.md"


def filelog_of_the_manual(root: Path) -> dict[str, Any]:
    """Return the settings of the reader of logs in the manual, below this folder."""
    (block,) = re.findall(r"```yaml\n(receivers:\n  filelog:.*?)```", MANUAL.read_text(), re.DOTALL)
    found: dict[str, Any] = yaml.safe_load(block)["receivers"]["filelog"]
    return found | {"include": [f"{root}{path}" for path in found["include"]], "poll_interval": "50ms"}


def write_as_container(root: Path, worker: ParleyProcess) -> None:
    """Write the log of a worker as containerd does."""
    file = root / "var/log/pods/parley_parley-worker-0_uid/worker/0.log"
    file.parent.mkdir(parents=True)
    lines = worker.log.read_text().splitlines()
    file.write_text("".join(f"2026-11-28T00:00:00.123456789Z stderr F {line}\n" for line in lines))


def kill(worker: ParleyProcess) -> None:
    for pid in (*worker.children(), worker.process.pid):
        os.kill(pid, signal.SIGKILL)


def test_a_collector_takes_every_attempt_and_its_log_lines(tmp_path: Path) -> None:
    tool(NAME)
    valkey = Valkey(tmp_path / "valkey")
    valkey.start()
    settings = Settings(
        redis_url=valkey.url, objects_url=f"file://{tmp_path}/objects", lease_seconds=2.0, lease_renewal_seconds=0.5
    )
    logs = tmp_path / "node"
    try:
        with (
            OtelCollector(tmp_path / "collector", filelog_of_the_manual(logs)) as collector,
            running_system(settings, tmp_path) as system,
        ):
            check(system, collector, logs, valkey)
    finally:
        valkey.stop()


def check(system: System, collector: OtelCollector, logs: Path, valkey: Valkey) -> None:
    system.keeper(**collector.environment)
    until(lambda: valkey.client().exists("parley:tracing"), what="a keeper sends traces")
    killed = system.worker(GATED)
    ids = [system.submit() for _ in range(2)]
    system.wait(ids[0], lambda job: job.state is JobState.RUNNING)
    system.store.cancel(ids[1])
    kill(killed)
    system.worker()
    jobs = [system.wait_for_end(job_id) for job_id in ids]
    assert jobs[0].token == 2

    until(lambda: len(collector.named("job")) == 2, what="the traces arrive")
    assert list(differences(jobs, collector.spans())) == []

    write_as_container(logs, killed)
    trace_id = bytes.fromhex(jobs[0].trace_id)
    found = until(lambda: [one for one in collector.log_records() if one.trace_id == trace_id], what="the logs arrive")
    attributes = {one.key: one.value.string_value for one in found[0].attributes}
    assert (attributes["job_id"], attributes["tenant"], attributes["service"]) == (jobs[0].id, jobs[0].tenant, "worker")
    assert found[0].body.string_value == "attempt started"
    assert found[0].severity_text == "info"
