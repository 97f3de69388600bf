"""The calls that Redis answers alone, because they promise nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from parley_core.job import Dispatch, Job, JobEvent, JobPage, JobQuery, LapsedLease, Lease, Phase, Queue
from parley_core.ports import JobIndex
from parley_core.status import QueueStatus, Stats, StoreHealth, Usage
from parley_core.tenants import TenantLoad


class IndexedJobStore:
    """The part of a JobStore that an index of jobs in Redis is enough for."""

    def __init__(self, index: JobIndex) -> None:
        self.index = index

    def reserve_key(self, tenant: str, key: str, holder: str, seconds: float) -> str | None:
        return self.index.reserve_key(tenant, key, holder, seconds)

    def release_key(self, tenant: str, key: str, holder: str) -> None:
        self.index.release_key(tenant, key, holder)

    def mark_queued(self, dispatch: Dispatch) -> None:
        self.index.mark_queued(dispatch)

    def renew(self, lease: Lease, lease_seconds: float, phase: Phase | None, progress: float) -> None:
        self.index.renew(lease, lease_seconds, phase, progress)

    def page(self, query: JobQuery) -> JobPage:
        return self.index.page(query)

    def events(self, job_id: str, after: str = "0") -> Sequence[JobEvent]:
        return self.index.events(job_id, after)

    def queues(self) -> Sequence[QueueStatus]:
        return self.index.queues()

    def stats(self) -> Stats:
        return self.index.stats()

    def tenant_load(self, tenant: str) -> TenantLoad:
        return self.index.tenant_load(tenant)

    def usage(self, tenant: str, first: date, last: date) -> Sequence[Usage]:
        return self.index.usage(tenant, first, last)

    def health(self) -> StoreHealth:
        return self.index.health()

    def claim_due(self, limit: int) -> Sequence[Dispatch]:
        return self.index.claim_due(limit)

    def take_turns(self, limit: int, accepted: str | None = None) -> Sequence[Dispatch]:
        return self.index.take_turns(limit, accepted)

    def republish_lost(self, waiting: dict[Queue, int], grace_seconds: float) -> Sequence[str]:
        return self.index.republish_lost(waiting, grace_seconds)

    def lapsed_leases(self, limit: int) -> Sequence[LapsedLease]:
        return self.index.lapsed_leases(limit)

    def claim_expired(self, limit: int) -> Sequence[Job]:
        return self.index.claim_expired(limit)

    def claim_recordings(self, limit: int) -> Sequence[Job]:
        return self.index.claim_recordings(limit)

    def note_stopped(self, job_id: str, nonce: str) -> None:
        self.index.note_stopped(job_id, nonce)

    def measure_service(self, start_seconds: float, longest_seconds: float) -> None:
        self.index.measure_service(start_seconds, longest_seconds)

    def running_by_worker(self) -> dict[str, int]:
        return self.index.running_by_worker()

    def register_worker(self, worker: str, queue: Queue, capacity: int, lasts_seconds: float) -> None:
        self.index.register_worker(worker, queue, capacity, lasts_seconds)
