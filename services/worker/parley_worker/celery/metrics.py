"""Metrics of one worker: how busy it is, what it uses, how long its phases take. Jobs are counted in the record.

The main process answers, so a scrape costs the attempts nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import accumulate

from billiard import current_process
from celery.worker import state
from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from parley_core.exposition import serve_wsgi
from parley_core.listening import listening_socket
from parley_core.settings import Settings
from parley_worker.celery import processes
from parley_worker.celery.phase_times import BOUNDS, PhaseTimes

_phase_times: PhaseTimes | None = None


def note_phases(seconds: Mapping[str, float]) -> None:
    """Note the seconds of an attempt by phase, in a child; does nothing in a worker without a port of metrics."""
    if _phase_times is not None:
        _phase_times.note(getattr(current_process(), "index", 0), seconds)


def serve(settings: Settings) -> None:
    """Answer scrapes from a thread of the main process. Must be called before the children are started.

    Raises:
        UnsafeSettings: the port is taken, or the certificate cannot be used.
    """
    global _phase_times
    _phase_times = PhaseTimes(settings.concurrency)
    registry = CollectorRegistry()
    registry.register(WorkerCollector(settings.concurrency, state.active_requests, _phase_times))
    listening = listening_socket(settings.host, settings.worker_metrics_port)
    server = serve_wsgi(make_wsgi_app(registry), listening, settings)
    os.register_at_fork(after_in_child=server.socket.close)


class WorkerCollector(Collector):
    """The values of one scrape.

    Args:
        slots: number of jobs at a time.
        busy: what the children work on.
        phase_times: of the attempts of this worker, however they ended.
    """

    def __init__(
        self,
        slots: int,
        busy: Collection[object],
        phase_times: PhaseTimes,
        tree: Callable[[], list[processes.Process]] = processes.of_this_worker,
    ) -> None:
        self._slots, self._busy, self._phase_times, self._tree = slots, busy, phase_times, tree

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("parley_worker_slots", "Jobs that this worker runs at a time.", value=self._slots)
        yield GaugeMetricFamily("parley_worker_slots_busy", "Jobs that this worker runs now.", value=len(self._busy))
        yield from self._used()
        phases = HistogramMetricFamily(
            "parley_worker_phase_seconds", "Seconds of each phase of this worker's attempts.", labels=["phase"]
        )
        bounds = [*map(str, BOUNDS), "+Inf"]
        for phase, samples in self._phase_times.samples().items():
            phases.add_metric([phase.value], list(zip(bounds, accumulate(samples.counts), strict=True)), samples.sum)
        yield phases

    def _used(self) -> Iterator[Metric]:
        """Yield nothing where the system has no /proc."""
        tree = self._tree()
        if not tree:
            return
        main, *others = tree
        yield CounterMetricFamily(
            "parley_worker_cpu_seconds",
            "Processor seconds of this worker with its engines and decoders.",
            value=sum(process.cpu_seconds for process in tree),
        )
        memory = GaugeMetricFamily(
            "parley_worker_resident_bytes", "Memory of the main process, and of its largest child.", labels=["process"]
        )
        memory.add_metric(["main"], main.resident_bytes)
        memory.add_metric(["largest_child"], max((process.resident_bytes for process in others), default=0))
        yield memory
