"""The counting part of the job store in memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, timedelta

from parley_api.runtime.record_metrics import HISTOGRAMS
from parley_core.job import Job, JobState, Queue
from parley_core.status import QueueStatus, Usage
from parley_core.tenants import TenantLoad
from tests.support.fakes.restoration import Entry

TENANTS_COUNTED = 100


class MemoryMetrics:
    """Counters and histogram samples, under the names that the Lua transitions give them."""

    _entries: dict[str, Entry]
    _counters: Counter[str]

    def __init__(self) -> None:
        super().__init__()
        self._tenants: set[str] = set()
        self._stopped: set[str] = set()
        self._measured_at: float | None = None
        self._usage: defaultdict[tuple[str, date, Queue], Counter[str]] = defaultdict(Counter)

    def _transition(self) -> AbstractContextManager[float]:
        raise NotImplementedError

    def queues(self) -> Sequence[QueueStatus]:
        raise NotImplementedError

    def tenant_load(self, tenant: str) -> TenantLoad:
        with self._transition():
            jobs = [entry.job for entry in self._entries.values() if entry.job.tenant == tenant]
            unfinished = sum(not job.state.terminal for job in jobs)
            return TenantLoad(unfinished, sum(job.recording.bytes for job in jobs if not job.recording_removed))

    def _count(self, what: str, job: Job, by: int = 1, **labels: str) -> None:
        pairs = "|".join(f"{name}={value}" for name, value in sorted({**labels, "queue": job.options.queue}.items()))
        self._counters[f"{what}|{pairs}"] += by

    def _count_tenant(self, what: str, job: Job, by: int = 1) -> None:
        if len(self._tenants) < TENANTS_COUNTED:
            self._tenants.add(job.tenant)
        self._counters[f"{what}|tenant={job.tenant if job.tenant in self._tenants else 'other'}"] += by

    def _observe(self, what: str, job: Job, value: float) -> None:
        le = next((f"{bound:g}" for bound in HISTOGRAMS[what][1] if value <= bound), "+Inf")
        self._count(f"{what}_bucket", job, le=le)
        self._count(f"{what}_sum_ms", job, int(value * 1000))

    def _list(self, job: Job) -> None:
        self._count_tenant("tenant_jobs_accepted", job)
        self._count_tenant("tenant_unfinished", job)
        self._count("stored_recording_bytes", job, job.recording.bytes)

    def _observe_end(self, entry: Entry, ended: float) -> None:
        job = entry.job
        self._count_usage(entry, ended)
        self._observe("job_attempts", job, len(job.attempts))
        self._count_tenant("tenant_jobs_ended", job)
        self._count_tenant("tenant_unfinished", job, -1)
        if job.result is None:
            return
        if job.result.transcription:
            self._count("transcriptions", job, code=job.result.transcription.error_code or "none")
        taken, audio = ended - entry.accepted_at, job.recording.seconds
        self._observe("result_seconds", job, taken)
        self._observe("result_audio_ratio", job, taken / audio)
        self._count("audio_ms", job, int(audio * 1000))
        if job.attempts:
            self._observe("run_seconds", job, ended - job.attempts[-1].started_at.timestamp())
        for what, timing in (("decode_seconds", "decoding"), ("engine_seconds", "engine")):
            if timing in job.result.timings:
                self._observe(what, job, job.result.timings[timing])
        if "engine_cpu" in job.result.timings:
            self._count("engine_cpu_ms", job, int(job.result.timings["engine_cpu"] * 1000))

    def _count_usage(self, entry: Entry, ended: float) -> None:
        job = entry.job
        timings = job.result.timings if job.result else {}
        used = {job.state.value: 1, "attempts": len(job.attempts)}
        if job.started_at:
            used["wait_ms"] = int(max(0.0, job.started_at.timestamp() - entry.accepted_at) * 1000)
        if job.result:
            used["audio_ms"] = int(job.recording.seconds * 1000)
            used |= {f"{name}_ms": int(timings.get(name, 0) * 1000) for name in ("engine", "engine_cpu")}
            if job.result.transcription:
                used["transcribed_ms"] = int(job.result.transcription.audio_seconds * 1000)
        day = datetime.fromtimestamp(ended, UTC).date()
        self._usage[job.tenant, day, job.options.queue].update({name: by for name, by in used.items() if by})

    def usage(self, tenant: str, first: date, last: date) -> Sequence[Usage]:
        with self._transition():
            days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
            found = [
                Usage.from_counters(day, queue, self._usage.get((tenant, day, queue), {}))
                for day in days
                for queue in Queue
            ]
            return [usage for usage in found if usage]

    def note_stopped(self, job_id: str, nonce: str) -> None:
        with self._transition() as now:
            entry = self._entries.get(job_id)
            if entry and entry.job.state is JobState.CANCELLED and entry.job.nonce == nonce:
                if job_id not in self._stopped and entry.job.finished_at:
                    self._observe("cancel_seconds", entry.job, now - entry.job.finished_at.timestamp())
                self._stopped.add(job_id)

    def measure_service(self, start_seconds: float, longest_seconds: float) -> None:
        with self._transition() as now:
            passed_ms = int(min(now - (self._measured_at or now), longest_seconds) * 1000)
            self._measured_at = now
            for status in self.queues():
                label = f"queue={status.queue}"
                self._counters[f"capacity_ms|{label}"] += status.capacity * passed_ms
                if status.oldest_seconds is not None:
                    self._counters[f"busy_ms|{label}"] += passed_ms
                    if status.workers or status.oldest_seconds < start_seconds:
                        self._counters[f"served_ms|{label}"] += passed_ms
