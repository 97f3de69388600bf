"""Compares the spans that a collector got with the attempts that the record counts."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from redis.exceptions import RedisError

from chaos.parts import until
from chaos.system import System
from parley_core.job import Job
from tests.support.collector import Span

CELERY_SPAN = "run/parley.diarize"  # as the stock instrumentation of Celery names it
SUPERSEDED = "superseded attempt"
JOB = "parley.job.id"
SENT_SECONDS = 90.0  # a keeper that dies while it sends leaves its traces claimed for 30 s
STOCK_BATCH_SECONDS = 6.0  # the stock exporter sends every 5 s


@dataclass(frozen=True, slots=True)
class SpanCounts:
    """Attempts of all jobs, and their spans.

    Attributes:
        attempts: number of attempts that the record counts.
        spans: number of different spans of attempts.
        missing: attempts without a span.
        surplus: different spans beyond the attempts of their job.
        sent_again: spans that arrived more than once with the same id.
        superseded: spans of attempts that ran beside the one that the end names, since Redis had lost its claim.
    """

    attempts: int
    spans: int
    missing: int
    surplus: int
    sent_again: int
    superseded: int = 0

    def as_json(self) -> dict[str, int]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class SpanCheck:
    """What the collectors got.

    Attributes:
        counts: of Parley's own traces.
        celery: of the stock instrumentation of Celery, if it was on.
        differences: descriptions of jobs whose spans do not equal their attempts and runs.
    """

    counts: SpanCounts
    celery: SpanCounts | None
    differences: tuple[str, ...]


def check_spans(system: System, jobs: Sequence[Job], other_record: bool = False) -> SpanCheck:
    """Wait until the keeper has sent every trace, then compare the spans with these jobs, which have ended.

    Args:
        other_record: the jobs may have other attempts with spans, in the record of another cluster.
    """
    sent = until(lambda: _waiting(system) == 0, SENT_SECONDS, 0.25)
    spans = system.collector.spans()
    late = () if sent else (f"{_waiting(system)} traces were not sent in {SENT_SECONDS:.0f} s",)
    celery = None
    if system.celery_collector:
        time.sleep(STOCK_BATCH_SECONDS)
        celery = count_spans(jobs, system.celery_collector.spans(), CELERY_SPAN)
    counts = replace(count_spans(jobs, spans), superseded=len({s.span_id for s in spans if s.name == SUPERSEDED}))
    if other_record:
        counts = replace(counts, surplus=0)
    return SpanCheck(counts, celery, (*late, *differences(jobs, spans, other_record)))


def _waiting(system: System) -> int | None:
    """Return the number of traces that wait, None while Redis does not answer."""
    with suppress(RedisError):
        return system.traces_waiting()
    return None


def count_spans(jobs: Iterable[Job], spans: Iterable[Span], name: str = "attempt") -> SpanCounts:
    """Return how many attempts of these jobs have a span of this name."""
    attempts = Counter({job.id: job.token for job in jobs})
    ids, arrived = _ids_by_job(spans, name)
    have = Counter({job_id: len(found) for job_id, found in ids.items()})
    return SpanCounts(
        attempts=attempts.total(),
        spans=have.total(),
        missing=(attempts - have).total(),
        surplus=(have - attempts).total(),
        sent_again=arrived - have.total(),
    )


def _ids_by_job(spans: Iterable[Span], name: str) -> tuple[Mapping[str, set[str]], int]:
    """Return the ids of the spans of this name by job, and how many arrived."""
    ids: dict[str, set[str]] = defaultdict(set)
    arrived = 0
    for span in spans:
        if span.name == name:
            arrived += 1
            ids[str(span.attributes.get(JOB, ""))].add(span.span_id)
    return ids, arrived


def differences(jobs: Sequence[Job], spans: Sequence[Span], other_record: bool = False) -> Iterator[str]:
    """Yield every job whose spans are not one per run and one per attempt, in the trace of the job."""
    attempts, runs = _ids_by_job(spans, "attempt")[0], _ids_by_job(spans, "job")[0]
    traces: dict[str, set[str]] = defaultdict(set)
    for span in spans:
        traces[str(span.attributes.get(JOB, ""))].add(span.trace_id)
    for job in jobs:
        counted = {"attempts": (job.token, attempts), "runs": (job.run + 1, runs)}
        for what, (expected, found) in counted.items():
            number = len(found.get(job.id, ()))
            if number < expected or (number > expected and not other_record):
                yield f"job {job.id}: {expected} {what}, {number} spans"
        if traces.get(job.id, {job.trace_id}) != {job.trace_id}:
            yield f"job {job.id}: spans in another trace"
    if strangers := set(traces) - {job.id for job in jobs}:
        yield f"spans of jobs that the record does not have: {', '.join(sorted(strangers))}"


def stated(counts: Mapping[str, Any] | None) -> str:
    """Return counts of a row as the table shows them: attempts with a span of all attempts."""
    if not counts:
        return "-"
    text = f"{counts['attempts'] - counts['missing']} of {counts['attempts']}"
    text += f", {counts['superseded']} superseded" if counts.get("superseded") else ""
    return f"{text}, {counts['surplus']} too many" if counts["surplus"] else text
