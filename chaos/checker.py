"""The checker compares the ledger of promises with the record, the stored results and the counters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families

from chaos.ledger import Ledger
from chaos.system import System
from parley_core.errors import JobNotFound, JobPurged
from parley_core.job import DEFAULT_TENANT, Job, JobQuery, JobState
from parley_core.recording import result_folder

PAGE = 200
COUNTED = ("jobs_accepted", "jobs_succeeded", "jobs_failed", "jobs_cancelled", "attempts_started")


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Findings of one check.

    Attributes:
        accepted: number of jobs that were accepted with a 202.
        lost: accepted jobs that the record does not have, or that have not ended.
        committed_twice: ends counted beyond those of the jobs, by state.
        doubled: idempotency keys with more than one job.
        unclaimed: number of jobs in the record whose 202 did not reach the client.
        failed: number of accepted jobs that failed.
        results_wrong: succeeded jobs whose result object is missing, or not named by the committed nonce.
        executions: number of attempts of each accepted job.
        differences: descriptions of counters that differ from the record.
        commits_refused: number of commits refused because of their nonce.
    """

    accepted: int
    lost: tuple[str, ...]
    committed_twice: tuple[str, ...]
    doubled: tuple[str, ...]
    unclaimed: int
    failed: int
    results_wrong: tuple[str, ...]
    executions: tuple[int, ...]
    differences: tuple[str, ...]
    commits_refused: int

    @property
    def passed(self) -> bool:
        """Whether every promise was kept."""
        return not (self.lost or self.committed_twice or self.doubled or self.results_wrong or self.differences)


def compare(system: System, ledger: Ledger) -> CheckResult:
    """Compare the ledger with the record, in which all jobs must have ended."""
    promised, jobs = ledger.job_ids(), every_job(system)
    recorded = {job.id for job in jobs}
    metrics = read_metrics(system.urls[0])
    found = [job for job in (find(system, job_id) for job_id in promised) if job is not None]
    return CheckResult(
        accepted=len(promised),
        lost=tuple(sorted(set(promised) - {job.id for job in found if job.state.terminal})),
        committed_twice=tuple(_committed_twice(jobs, metrics)),
        doubled=tuple(_doubled(ledger, jobs)),
        unclaimed=len(recorded - set(promised)),
        failed=sum(job.state is JobState.FAILED for job in found),
        results_wrong=tuple(_results_wrong(system, found)),
        executions=tuple(job.token for job in found),
        differences=tuple(_differences(jobs, metrics)),
        commits_refused=metrics["commits_refused"],
    )


def find(system: System, job_id: str) -> Job | None:
    try:
        return system.store.get(job_id)
    except (JobNotFound, JobPurged):
        return None


def every_job(system: System) -> list[Job]:
    """Return all jobs of the record."""
    jobs: list[Job] = []
    cursor: str | None = None
    while True:
        page = system.store.page(JobQuery(DEFAULT_TENANT, limit=PAGE, cursor=cursor))
        jobs += page.jobs
        cursor = page.next_cursor
        if cursor is None:
            return jobs


def read_metrics(url: str) -> Counter[str]:
    """Return the counters of `/metrics`, each summed over its labels."""
    sums: Counter[str] = Counter()
    for family in text_string_to_metric_families(httpx.get(f"{url}/metrics", timeout=10).raise_for_status().text):
        for sample in family.samples:
            if sample.name.endswith("_total"):
                sums[sample.name.removeprefix("parley_").removesuffix("_total")] += int(sample.value)
    return sums


def _committed_twice(jobs: Iterable[Job], metrics: Counter[str]) -> Iterable[str]:
    """Every end is counted; a retry by hand gives a failed or cancelled job one more."""
    ended = Counter(job.state for job in jobs)
    retried = metrics["jobs_retried"]
    for state, more in ((JobState.SUCCEEDED, 0), (JobState.FAILED, retried), (JobState.CANCELLED, retried)):
        surplus = metrics[f"jobs_{state}"] - ended[state] - more
        if surplus > 0:
            yield f"{surplus} more ends counted than jobs that {state}"


def _doubled(ledger: Ledger, jobs: Iterable[Job]) -> Iterable[str]:
    by_key = ledger.ids_by_key()
    for job in jobs:
        by_key.setdefault(str(job.options.reference), set()).add(job.id)
    return (key for key, ids in by_key.items() if len(ids) > 1)


def _results_wrong(system: System, jobs: Iterable[Job]) -> Iterable[str]:
    stored = set(system.objects.keys("results"))
    for job in jobs:
        if job.state is JobState.SUCCEEDED:
            assert job.result is not None
            if job.result.key not in stored or not _is_committed(job, job.result.key):
                yield job.id


def _is_committed(job: Job, key: str) -> bool:
    """Return whether the committed attempt wrote this result. A restored record has no nonce to compare."""
    folder, _, name = key.rpartition("/")
    return folder == result_folder(job.id) and job.nonce in ("", name.removesuffix(".json"))


def _differences(jobs: Sequence[Job], metrics: Counter[str]) -> Iterable[str]:
    states = Counter(job.state for job in jobs)
    recorded = (
        len(jobs),
        states[JobState.SUCCEEDED],
        states[JobState.FAILED],
        states[JobState.CANCELLED],
        sum(job.token for job in jobs),
    )
    for name, expected in zip(COUNTED, recorded, strict=True):
        if metrics[name] != expected:
            yield f"{name}: /metrics {metrics[name]}, record {expected}"
