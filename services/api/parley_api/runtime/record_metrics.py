"""The record's counters and gauges as Prometheus metrics, read at every scrape: exact even when workers die.

Values that cannot be read are left out. An autoscaler would take a zero for an empty queue and remove workers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import samples as exposed
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from parley_api.runtime.readiness import COMPONENTS
from parley_core.errors import (
    AttemptTimedOut,
    DecodingInterrupted,
    EngineError,
    EngineMismatch,
    ObjectStoreUnavailable,
    ParleyError,
    RecogniserRefused,
    RecogniserUnavailable,
    RecordingError,
    TranscriptionTimedOut,
    UnusableTranscription,
    WorkerLost,
)
from parley_core.job import Queue
from parley_core.status import Exemplar, QueueStatus, Stats, StoreHealth

COUNTERS: Mapping[str, str] = {
    "jobs_accepted": "Jobs recorded.",
    "jobs_succeeded": "Jobs that ended with a result.",
    "jobs_failed": "Jobs that ended with an error.",
    "jobs_cancelled": "Jobs that a caller cancelled.",
    "jobs_retried": "Failed or cancelled jobs that a caller retried.",
    "jobs_purged": "Ended jobs that were deleted with recording and result.",
    "messages_lost": "Queued jobs that were published again because their message was lost.",
    "attempts_started": "Attempts that began.",
    "attempts_failed": "Attempts that ended with an error, by its code.",
    "attempts_given_back": "Attempts that a stopping worker gave back. They do not count as tries.",
    "commits_refused": "Results refused because another attempt owned the job, or it had ended.",
    "jobs_restored": "Jobs whose record Redis had lost, written again from the object store.",
    "delivery_attempts": "Attempts to deliver the end of a job, by whether the receiver took it.",
    "deliveries_given_up": "Deliveries that no receiver took within the whole schedule of attempts.",
    "transcriptions": "Transcriptions by the recogniser, by the code of their error, `none` where there are words.",
    "traces_dropped": "Traces given up: too many waited for the collector, or one waited for days.",
    "checkpoints_ignored": "Parts of checkpoints that were damaged or of another engine, and computed again.",
    "messages_dropped": "Messages in a queue that Parley has not published.",
    "unreadable_records": "Records that a list, the keeper or a scrape skipped because it could not read them.",
}
"""What the transitions count. Counters start at 0, so that their first increase shows in a rate."""

UNLABELLED = frozenset(
    {"checkpoints_ignored", "deliveries_given_up", "messages_dropped", "traces_dropped", "unreadable_records"}
)
DELIVERY_RESULTS = ("delivered", "refused")
BY_CODE = frozenset({"jobs_failed", "attempts_failed"})  # labelled with error codes
ENDS_ATTEMPTS: tuple[type[ParleyError], ...] = (
    *RecordingError.__subclasses__(),
    AttemptTimedOut,
    DecodingInterrupted,
    EngineError,
    EngineMismatch,
    ObjectStoreUnavailable,
    WorkerLost,
)
"""Errors that an attempt can end with. Their counters start at 0 too, or an alert would miss the first errors."""

TRANSCRIPTION_ERRORS = (RecogniserRefused, RecogniserUnavailable, TranscriptionTimedOut, UnusableTranscription)
TRANSCRIPTION_CODES = ("none", *(kind.code for kind in TRANSCRIPTION_ERRORS))

SECONDS: Mapping[str, tuple[str, str]] = {
    "audio_ms": ("audio_seconds", "Seconds of audio of the jobs that succeeded."),
    "engine_cpu_ms": ("engine_cpu_seconds", "Processor seconds of the engine in the attempts that succeeded."),
    "busy_ms": ("queue_busy_seconds", "Seconds in which the queue had unfinished jobs."),
    "served_ms": (
        "queue_served_seconds",
        "Of the busy seconds, those with a worker, or before one can have started.",
    ),
    "capacity_ms": ("worker_capacity_seconds", "Seconds that workers offered to the queue, times the jobs at a time."),
}
"""Counters of thousandths of seconds: the name in the record, the name of the metric, the help text."""

GAUGES: Mapping[str, tuple[str, str]] = {
    "stored_recording_bytes": ("queue", "Bytes of the recordings of all jobs that have not been purged."),
    "tenant_unfinished": ("tenant", "Jobs of the tenant accepted and not ended."),
}
"""What the transitions count up and down: the label and the help text."""

TENANT_COUNTERS: Mapping[str, str] = {
    "tenant_jobs_accepted": "Jobs of the tenant recorded. Tenants beyond the first 100 share the label `other`.",
    "tenant_jobs_ended": "Jobs of the tenant that ended, in whatever state; each retry by hand ends once more.",
}

HISTOGRAMS: Mapping[str, tuple[str, tuple[float, ...]]] = {  # bounds as in redis/lua/lib.lua
    "wait_seconds": (
        "Seconds from acceptance to the first attempt.",
        (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1800, 7200),
    ),
    "run_seconds": (
        "Seconds of the attempt that succeeded.",
        (0.5, 1, 2.5, 5, 15, 60, 300, 900, 1800, 3600, 7200),
    ),
    "decode_seconds": (
        "Seconds that the attempt that succeeded spent on decoding.",
        (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300),
    ),
    "engine_seconds": (
        "Seconds that the attempt that succeeded spent in the engine.",
        (0.5, 1, 2.5, 5, 15, 60, 300, 900, 1800, 3600, 7200),
    ),
    "result_seconds": (
        "Seconds from acceptance, or from a retry by hand, to the result.",
        (1, 2.5, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400),
    ),
    "result_audio_ratio": (
        "Seconds from acceptance to the result per second of audio.",
        (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100),
    ),
    "job_attempts": ("Attempts of each job that ended, in whatever state.", (0, 1, 2, 3, 4)),
    "cancel_seconds": (
        "Seconds from the cancel of a running job until its attempt stopped.",
        (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
    ),
}
PART_SUFFIXES = ("_bucket", "_sum_ms", "_count")

Labels = tuple[tuple[str, str], ...]
Samples = Mapping[str, Mapping[Labels, int]]
Bucket = tuple[str, float] | tuple[str, float, exposed.Exemplar]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the store answered, all or nothing."""

    stats: Stats
    queues: Sequence[QueueStatus]
    health: StoreHealth


class RecordCollector(Collector):
    """The values of one scrape."""

    def __init__(self, snapshot: Snapshot | None, down: Collection[str]) -> None:
        """Take the snapshot, None when the store does not answer, and the names of the components that are down."""
        self._snapshot = snapshot
        self._down = down

    def collect(self) -> Iterator[Metric]:
        ready = GaugeMetricFamily("parley_part_ready", "1 when the component is ready, as in /readyz.", labels=["part"])
        for component in COMPONENTS:
            ready.add_metric([component], component not in self._down)
        yield ready
        yield GaugeMetricFamily("parley_up", "1 when the job store answers.", value=self._snapshot is not None)
        if self._snapshot is not None:
            samples = _parsed(self._snapshot.stats)
            yield from _counters(samples)
            yield from (_seconds(name, samples) for name in SECONDS)
            yield from (_tenants(name, samples) for name in TENANT_COUNTERS)
            yield from (_gauge(name, samples) for name in GAUGES)
            exemplars = self._snapshot.stats.exemplars
            yield from (_histogram(what, samples, exemplars) for what in HISTOGRAMS)
            yield from _queue_gauges(self._snapshot.queues)
            yield from _store_gauges(self._snapshot.health)


def _parsed(stats: Stats) -> Samples:
    """Return what -> labels -> value from names like `jobs_accepted|queue=batch`."""
    samples: defaultdict[str, dict[Labels, int]] = defaultdict(dict)
    for name, value in stats.counters.items():
        what, *pairs = name.split("|")
        labels = tuple((pair.partition("=")[0], pair.partition("=")[2]) for pair in pairs)
        samples[what][labels] = value
    return samples


def _counters(samples: Samples) -> Iterator[Metric]:
    elsewhere = {what + suffix for what in HISTOGRAMS for suffix in PART_SUFFIXES}
    unknown = samples.keys() - COUNTERS.keys() - elsewhere - SECONDS.keys() - GAUGES.keys() - TENANT_COUNTERS.keys()
    for what in [*COUNTERS, *sorted(unknown)]:
        values = _zeros(what) | dict(samples.get(what, {}))
        names = [name for name, _ in next(iter(values))]
        family = CounterMetricFamily(f"parley_{what}", COUNTERS.get(what, "Counted by a transition."), labels=names)
        for labels, value in values.items():
            family.add_metric([text for _, text in labels], value)
        yield family


def _zeros(what: str) -> dict[Labels, int]:
    if what not in COUNTERS:
        return {}
    if what in UNLABELLED:
        return {(): 0}
    if what == "delivery_attempts":
        return {(("result", result),): 0 for result in DELIVERY_RESULTS}
    if what in BY_CODE:
        return {(("code", kind.code), ("queue", queue.value)): 0 for kind in ENDS_ATTEMPTS for queue in Queue}
    if what == "transcriptions":
        return {(("code", code), ("queue", queue.value)): 0 for code in TRANSCRIPTION_CODES for queue in Queue}
    return {(("queue", queue.value),): 0 for queue in Queue}


def _seconds(what: str, samples: Samples) -> Metric:
    name, text = SECONDS[what]
    family = CounterMetricFamily(f"parley_{name}", text, labels=["queue"])
    for queue in Queue:
        family.add_metric([queue], samples.get(what, {}).get((("queue", queue.value),), 0) / 1000)
    return family


def _tenants(what: str, samples: Samples) -> Metric:
    family = CounterMetricFamily(f"parley_{what}", TENANT_COUNTERS[what], labels=["tenant"])
    for ((_, tenant),), value in samples.get(what, {}).items():
        family.add_metric([tenant], value)
    return family


def _gauge(what: str, samples: Samples) -> Metric:
    label, text = GAUGES[what]
    family = GaugeMetricFamily(f"parley_{what}", text, labels=[label])
    for ((_, value_of_label),), value in samples.get(what, {}).items():
        family.add_metric([value_of_label], value)
    return family


def _histogram(what: str, samples: Samples, exemplars: Mapping[str, Exemplar]) -> Metric:
    text, bounds = HISTOGRAMS[what]
    family = HistogramMetricFamily(f"parley_{what}", text, labels=["queue"])
    for queue in Queue:
        found = samples.get(f"{what}_bucket", {})
        counts = {dict(labels)["le"]: count for labels, count in found.items() if dict(labels)["queue"] == queue}
        total = samples.get(f"{what}_sum_ms", {}).get((("queue", queue.value),), 0) / 1000
        traces = {le: exemplars.get(f"{what}_bucket|le={le}|queue={queue}") for le in counts}
        family.add_metric([queue], _cumulative(counts, bounds, traces), total)
    return family


def _cumulative(
    counts: Mapping[str, int], bounds: Iterable[float], traces: Mapping[str, Exemplar | None]
) -> list[Bucket]:
    """Return cumulative buckets, as Prometheus expects them; a transition counts each sample in one bucket."""
    by_bound = {float(bound): (count, traces[bound]) for bound, count in counts.items()}
    buckets: list[Bucket] = []
    so_far = 0
    for bound in (*map(float, bounds), float("inf")):
        count, trace = by_bound.get(bound, (0, None))
        so_far += count
        name = str(bound) if bound < float("inf") else "+Inf"
        if trace is None:
            buckets.append((name, float(so_far)))
        else:  # the text format of Prometheus leaves it out
            shown = exposed.Exemplar({"trace_id": trace.trace_id}, trace.value, trace.noted_at.timestamp())
            buckets.append((name, float(so_far), shown))
    return buckets


def _queue_gauges(queues: Sequence[QueueStatus]) -> Iterator[Metric]:
    unfinished = GaugeMetricFamily("parley_queue_unfinished", "Jobs accepted and not ended.", labels=["queue"])
    running = GaugeMetricFamily("parley_queue_running", "Jobs that a worker holds a lease on.", labels=["queue"])
    oldest = GaugeMetricFamily(
        "parley_queue_oldest_seconds", "Age of the oldest unfinished job; absent without one.", labels=["queue"]
    )
    workers = GaugeMetricFamily("parley_queue_workers", "Workers that serve the queue and take jobs.", labels=["queue"])
    capacity = GaugeMetricFamily("parley_queue_capacity", "Jobs that these workers run at a time.", labels=["queue"])
    for status in queues:
        unfinished.add_metric([status.queue], status.unfinished)
        running.add_metric([status.queue], status.running)
        workers.add_metric([status.queue], status.workers)
        capacity.add_metric([status.queue], status.capacity)
        if status.oldest_seconds is not None:
            oldest.add_metric([status.queue], status.oldest_seconds)
    yield from (unfinished, running, oldest, workers, capacity)


def _store_gauges(health: StoreHealth) -> Iterator[Metric]:
    yield GaugeMetricFamily("parley_store_used_memory_bytes", "Memory that Redis uses.", value=health.used_memory)
    if health.max_memory:
        yield GaugeMetricFamily("parley_store_max_memory_bytes", "Memory limit of Redis.", value=health.max_memory)
    safe = health.eviction_policy == "noeviction"
    yield GaugeMetricFamily("parley_store_keeps_everything", "1 when Redis evicts nothing.", value=safe)
    yield GaugeMetricFamily(
        "parley_store_append_only", "1 when Redis writes its append-only file.", value=health.append_only
    )
    yield GaugeMetricFamily("parley_due_jobs", "Jobs that wait to be published, now or later.", value=health.due)
    yield GaugeMetricFamily("parley_due_lag_seconds", "How late the oldest due job is.", value=health.lag_seconds)
    yield GaugeMetricFamily(
        "parley_retention_lag_seconds",
        "For how long a job that is still there should have been purged.",
        value=health.retention_lag_seconds,
    )
    yield GaugeMetricFamily("parley_leases", "Leases held by workers.", value=health.leases)
