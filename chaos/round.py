"""One fault against one system: load, strike, heal, come to rest, compare."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from chaos.checker import Verdict, compare, every_job
from chaos.client import Load, recording_of
from chaos.ledger import Ledger
from chaos.parts import until
from chaos.schedule import Fault
from chaos.system import ROOT, System
from chaos.testbed import Strike, Testbed
from parley_core.errors import JobStoreUnavailable, ObjectStoreUnavailable
from parley_core.job import Job, JobState

REST_SECONDS = 240.0  # for everything to come to an end by itself
WELL_SECONDS = 30.0
SAMPLE = ROOT / "services/client/parley/sample/conversation.flac"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a fault did.

    Attributes:
        recoveries: seconds; see `recoveries_of`.
        answers: HTTP answers to submits by status, 0 for a broken connection.
        hand_work: what somebody would have had to put right by hand; empty as it should be.
        problems: promises not kept, in words; empty when all is well.
        seconds: what the round took.
    """

    fault: Fault
    verdict: Verdict
    recoveries: tuple[float, ...]
    answers: dict[int, int]
    hand_work: tuple[str, ...]
    problems: tuple[str, ...]
    seconds: float


def run_fault(fault: Fault, seed: str) -> Outcome:
    """Run one fault on a system of its own and judge it."""
    began, rng = time.monotonic(), random.Random(f"{seed}:{fault.name}")
    with System(fault.layout, f"{seed}:{fault.name}") as system:
        ledger = Ledger(system.folder / "ledger.jsonl")
        load = Load(system.urls, ledger, rng, fault.rate)
        testbed = Testbed(system, load, rng)
        _strike(fault, testbed)
        hand_work = (*_come_to_rest(system, ledger), *_unwell(system))
        verdict = compare(system, ledger)
        recoveries = tuple(recoveries_of(testbed.strikes, every_job(system), ledger, system))
        problems = tuple(_problems(fault, verdict, recoveries, load, hand_work))
        ledger.close()
        return Outcome(fault, verdict, recoveries, dict(load.answers), hand_work, problems, time.monotonic() - began)


def _strike(fault: Fault, testbed: Testbed) -> None:
    if fault.sample:
        testbed.load.start(SAMPLE.read_bytes(), "audio/flac")
    else:
        testbed.load.start(recording_of(fault.layout.recording_seconds))
    try:
        testbed.warm()
        fault.strike(testbed)
    finally:
        testbed.system.control.heal()
        testbed.load.finish(at_least=fault.jobs)


def _come_to_rest(system: System, ledger: Ledger) -> tuple[str, ...]:
    """Wait until no job is unfinished; name what did not end by itself."""

    def unfinished() -> list[str]:
        try:
            jobs = [job.id for job in system.unfinished()]
            return jobs + list(system.objects.keys("unrecorded"))
        except (JobStoreUnavailable, ObjectStoreUnavailable) as error:
            return [error.detail]

    return () if until(lambda: not unfinished(), REST_SECONDS, 0.25) else tuple(unfinished())


def _unwell(system: System) -> Iterator[str]:
    if not until(system.ready, WELL_SECONDS):
        yield from (f"{part.name} is down" for part in system.parts if not part.alive)
        yield from (f"{url} is not ready" for url in system.urls)


def recoveries_of(strikes: Sequence[Strike], jobs: list[Job], ledger: Ledger, system: System) -> Iterator[float]:
    """Seconds until what was struck went on.

    After a blow to a worker: from the last blow that hit a job to the job's end. After an outage: from its end to
    the end of each job that was being worked on when it began, to the record of each job accepted in the meantime, and
    to the first attempt.
    """
    accepted = {entry.job_id: entry.at for entry in ledger}
    last_blow = {job_id: strike.since for strike in strikes for job_id in strike.hit}
    ends = {job.id: _end(job) for job in jobs}
    yield from (ends[job_id] - at for job_id, at in last_blow.items() if ends.get(job_id, 0.0) > at)
    for strike in strikes:
        if strike.outage:
            yield from _recorded_late(accepted, strike, system)
            yield from _first_attempt(jobs, strike)


def _end(job: Job) -> float:
    return job.finished_at.timestamp() if job.finished_at else float("inf")


def _recorded_late(accepted: dict[str, float], strike: Strike, system: System) -> Iterator[float]:
    for job_id, at in accepted.items():
        if strike.at < at < strike.healed:
            events = system.store.events(job_id)
            if events and events[0].at.timestamp() > strike.healed:
                yield events[0].at.timestamp() - strike.healed


def _first_attempt(jobs: Iterable[Job], strike: Strike) -> Iterator[float]:
    starts = [attempt.started_at.timestamp() for job in jobs for attempt in job.attempts]
    later = [start - strike.healed for start in starts if start > strike.healed]
    if later:
        yield min(later)


def percentile(values: Iterable[float], share: float) -> float:
    """The value below which so great a share lies (nearest rank); raises ValueError for none."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values")
    return ordered[max(0, -(-int(share * 100) * len(ordered) // 100) - 1)]


def _problems(
    fault: Fault, verdict: Verdict, recoveries: tuple[float, ...], load: Load, hand_work: tuple[str, ...]
) -> Iterator[str]:
    named = {
        "lost": verdict.lost,
        "committed twice": verdict.committed_twice,
        "two jobs for one key": verdict.doubled,
        "result missing or not the committed one": verdict.results_wrong,
        "counters differ": verdict.differences,
        "hand work": hand_work,
    }
    yield from (f"{name}: {', '.join(items[:5])}" for name, items in named.items() if items)
    if load.gave_up or verdict.unclaimed:
        yield f"{load.gave_up} requests given up, {verdict.unclaimed} jobs that nobody was told of"
    if max(verdict.executions, default=0) > fault.most_executions:
        yield f"{max(verdict.executions)} executions of one job, {fault.most_executions} promised"
    if fault.ends and verdict.failed != (verdict.accepted if fault.ends == JobState.FAILED else 0):
        yield f"{verdict.failed} of {verdict.accepted} failed, all were to end {fault.ends}"
    if fault.bound and recoveries and percentile(recoveries, 0.95) > fault.bound:
        yield f"recovery p95 {percentile(recoveries, 0.95):.1f} s, bound {fault.bound:.0f} s"
