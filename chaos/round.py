"""One round: load a system, inject a fault, wait until all jobs have ended, check."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from chaos.checker import CheckResult, compare, every_job
from chaos.client import Load, recording_of
from chaos.figures import percentile
from chaos.ledger import Ledger
from chaos.parts import until
from chaos.schedule import Fault
from chaos.spans import SpanCheck, check_spans
from chaos.system import System
from chaos.testbed import Injection, Testbed
from chaos.webhooks import DeliveryCheck, check_deliveries
from parley_core.errors import JobNotFound, JobPurged, JobStoreUnavailable, ObjectStoreUnavailable
from parley_core.job import Job, JobState

ENDS_SECONDS = 240.0  # limit for the next job to end: a busy machine needs long for all of them
READY_AGAIN_SECONDS = 30.0
RECORDED_LATE = "job recorded that was accepted without Redis"  # as the keeper logs it


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of one round.

    Attributes:
        recoveries: seconds; see `recoveries_of`.
        answers: HTTP answers to submits by status, 0 for a broken connection.
        manual_interventions: jobs and parts that did not recover by themselves.
        problems: descriptions of broken promises.
        seconds: duration of the round.
        figures: what the fault has measured beside this, by name.
    """

    fault: Fault
    result: CheckResult
    spans: SpanCheck
    deliveries: DeliveryCheck
    recoveries: tuple[float, ...]
    answers: dict[int, int]
    manual_interventions: tuple[str, ...]
    problems: tuple[str, ...]
    seconds: float
    figures: dict[str, str]


def run_fault(fault: Fault, seed: str, beside_celery: bool = False) -> Outcome:
    """Run one fault on a new system and check it; `beside_celery` also counts spans of the stock instrumentation."""
    began, rng = time.monotonic(), random.Random(f"{seed}:{fault.name}")
    with System(fault.layout, f"{seed}:{fault.name}", beside_celery) as system:
        ledger = Ledger(system.folder / "ledger.jsonl")
        load = Load(system.urls, ledger, rng, fault.rate, system.receiver.url)
        testbed = Testbed(system, load, rng)
        _inject(fault, testbed)
        manual_interventions = (*_wait_for_ends(system, ledger), *_not_ready(system))
        result, jobs = compare(system, ledger), every_job(system)
        spans, deliveries = check_spans(system, jobs, fault.other_record), check_deliveries(system, jobs)
        recoveries = tuple(recoveries_of(testbed.injections, jobs, ledger, system))
        problems = (
            *_problems(fault, result, recoveries, load, manual_interventions),
            *spans.differences[:5],
            *deliveries.differences[:5],
            *fault.check(testbed),
        )
        ledger.close()
        return Outcome(
            fault=fault,
            result=result,
            spans=spans,
            deliveries=deliveries,
            recoveries=recoveries,
            answers=dict(load.answers),
            manual_interventions=manual_interventions,
            problems=problems,
            seconds=time.monotonic() - began,
            figures=testbed.figures,
        )


def _inject(fault: Fault, testbed: Testbed) -> None:
    if fault.recording:
        testbed.load.start(fault.recording(), "audio/flac")
    else:
        testbed.load.start(recording_of(fault.layout.recording_seconds))
    try:
        testbed.warm()
        fault.inject(testbed)
    finally:
        testbed.system.control.clear()
        testbed.load.finish(at_least=fault.jobs)


def _wait_for_ends(system: System, ledger: Ledger) -> tuple[str, ...]:
    """Wait until no job is unfinished, for as long as jobs end. Return what did not end."""

    def unfinished() -> list[str]:
        """Return also jobs that Redis has lost: it has no record of them until the keeper restores them."""
        try:
            jobs = [job.id for job in system.unfinished()] + list(system.objects.keys("unrecorded"))
            return jobs or [job_id for job_id in ledger.job_ids() if not _is_recorded(system, job_id)]
        except (JobStoreUnavailable, ObjectStoreUnavailable) as error:
            return [error.detail]

    def fewer_than(left: int) -> bool:
        return until(lambda: len(unfinished()) < left, ENDS_SECONDS, 0.25)

    left = unfinished()
    while left and fewer_than(len(left)):
        left = unfinished()
    return tuple(left)


def _is_recorded(system: System, job_id: str) -> bool:
    try:
        system.store.index.get(job_id)
    except JobNotFound:
        return False
    except JobPurged:
        pass
    return True


def _not_ready(system: System) -> Iterator[str]:
    if not until(system.ready, READY_AGAIN_SECONDS):
        yield from (f"{part.name} is down" for part in system.parts if not part.alive)
        yield from (f"{url} is not ready" for url in system.urls)


def recoveries_of(injections: Sequence[Injection], jobs: list[Job], ledger: Ledger, system: System) -> Iterator[float]:
    """Yield the recovery times in seconds.

    After a fault of a worker: from the last fault that affected a job to the end of the job. After an outage: from its
    end to the end of each job that was running when it began, to the record of each job accepted meanwhile, and to the
    first attempt.
    """
    accepted = {entry.job_id: entry.at for entry in ledger}
    last_fault = {job_id: injection.since for injection in injections for job_id in injection.affected}
    ends = {job.id: _end(job) for job in jobs}
    yield from (ends[job_id] - at for job_id, at in last_fault.items() if ends.get(job_id, 0.0) > at)
    for injection in injections:
        if injection.outage:
            yield from _recorded_late(accepted, injection, system)
            yield from _first_attempt(jobs, injection)


def _end(job: Job) -> float:
    return job.finished_at.timestamp() if job.finished_at else float("inf")


def _recorded_late(accepted: dict[str, float], injection: Injection, system: System) -> Iterator[float]:
    """The keeper says when it records a job; the record itself keeps no events of a job that has ended."""
    for log in system.logs.glob("keeper-*.log"):
        for line in log.read_text(errors="replace").splitlines():
            if RECORDED_LATE in line and line.startswith("{"):
                entry = json.loads(line)
                recorded = datetime.fromisoformat(entry["timestamp"]).timestamp()
                if injection.at < accepted.get(entry["job_id"], 0.0) < injection.ended < recorded:
                    yield recorded - injection.ended


def _first_attempt(jobs: Iterable[Job], injection: Injection) -> Iterator[float]:
    starts = [attempt.started_at.timestamp() for job in jobs for attempt in job.attempts]
    later = [start - injection.ended for start in starts if start > injection.ended]
    if later:
        yield min(later)


def _problems(
    fault: Fault, result: CheckResult, recoveries: tuple[float, ...], load: Load, manual_interventions: tuple[str, ...]
) -> Iterator[str]:
    named = {
        "lost": result.lost,
        "committed twice": result.committed_twice,
        "two jobs for one key": result.doubled,
        "result missing or not the committed one": result.results_wrong,
        "counters differ": result.differences,
        "manual interventions": manual_interventions,
    }
    yield from (f"{name}: {', '.join(items[:5])}" for name, items in named.items() if items)
    if load.gave_up or result.unclaimed:
        yield f"{load.gave_up} requests given up, {result.unclaimed} jobs without a 202 at the client"
    refused = load.answers.total() - load.answers[202]
    if fault.refusals is not None and refused > fault.refusals:
        yield f"{refused} submits refused, {fault.refusals} allowed: {dict(load.answers)}"
    if max(result.executions, default=0) > fault.most_executions:
        yield f"{max(result.executions)} executions of one job, {fault.most_executions} promised"
    if fault.ends and result.failed != (result.accepted if fault.ends == JobState.FAILED else 0):
        yield f"{result.failed} of {result.accepted} failed, where all should end as {fault.ends}"
    if fault.bound and recoveries and percentile(recoveries, 0.95) > fault.bound:
        yield f"recovery p95 {percentile(recoveries, 0.95):.1f} s, bound {fault.bound:.0f} s"
