"""Every metric that API, keeper and worker export, taken from the code that exports them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from tempfile import TemporaryDirectory

from prometheus_client.core import Metric

from parley_api.http.audit_log import AuditLog
from parley_api.http.middleware import HttpMetrics
from parley_api.runtime.expiries import Expiries
from parley_api.runtime.keys import ApiKey
from parley_api.runtime.record_metrics import RecordCollector, Snapshot
from parley_core.job import Queue
from parley_core.settings import Settings
from parley_core.status import QueueStatus, Stats, StoreHealth
from parley_keeper.health import TaskCollector
from parley_keeper.main import maintenance_tasks
from parley_keeper.tracing.sender import trace_metrics
from parley_worker.celery.metrics import WorkerCollector
from parley_worker.celery.phase_times import PhaseTimes
from parley_worker.celery.processes import Process

TENANT_NAMES = ("tenant_jobs_accepted", "tenant_jobs_ended", "tenant_unfinished")
ON_SCRAPE = frozenset({"namespace", "release", "pod", "job", "instance", "le"})  # labels that no family declares


def families() -> Iterator[Metric]:
    """Yield every family with at least one sample."""
    yield from of_the_api()
    yield from of_the_keeper()
    yield from of_the_worker()


def of_the_api() -> Iterator[Metric]:
    """Yield the families of `/metrics` of the API, for a record that has counted something of everything."""
    counters = {f"{name}|tenant=clinic": 1 for name in TENANT_NAMES} | {"stored_recording_bytes|queue=batch": 1}
    queues = [QueueStatus(queue, 1, 1, 1.0, 1, 1) for queue in Queue]
    health = StoreHealth(1, 2, "noeviction", True, 1, 0.0, 1)
    yield from RecordCollector(Snapshot(Stats(counters), queues, health), down=()).collect()
    yield from _expiries()
    yield from AuditLog().collect()
    http = HttpMetrics()
    http.observe("GET", "/v1/jobs", 200, 0.1)
    yield from http.registry.collect()


def _expiries() -> Iterator[Metric]:
    found = Expiries(None)
    found.note(ApiKey("clinic", "0" * 64, expires_at=datetime.now(UTC)))
    for family in found.collect():
        if not family.samples:
            family.add_sample(family.name, {"certificate": "parley-tls"}, 0)
        yield family


def of_the_keeper() -> Iterator[Metric]:
    """Yield the families of `/metrics` of the keeper."""
    with TemporaryDirectory() as folder:
        tasks, more = maintenance_tasks(Settings(objects_url=f"file://{folder}"))
        yield from TaskCollector(tasks, more).collect()
    yield from trace_metrics()  # where traces are on


def of_the_worker() -> Iterator[Metric]:
    """Yield the families of `/metrics` of a worker."""
    process = Process(1, 0, 1.0, 1)
    yield from WorkerCollector(1, (), PhaseTimes(1), lambda: [process, process]).collect()
