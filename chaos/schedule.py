"""The schedule as data: every fault with its system and its load."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from chaos.system import Layout
from chaos.testbed import Testbed


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault.

    Attributes:
        name: name in the table.
        description: what happens, in one line.
        inject: injects the fault into a system under load.
        layout: the system.
        jobs: minimum number of submitted jobs.
        rate: jobs submitted per second.
        bound: bound of the 95th percentile of the recovery in seconds. None: not measured.
        most_executions: maximum number of attempts of one job.
        ends: the state in which all jobs must end. Empty: succeeded, or failed after four lost attempts.
        needs: returns why the fault cannot run here, or an empty text.
        short: part of the short schedule.
        recording: returns the FLAC file to submit, instead of noise.
        check: yields what is wrong after the end of all jobs, beside what is checked of every fault.
        refusals: maximum number of submits with another answer than 202. None: not bounded.
        other_record: another cluster with a record of its own works, too, and its attempts have spans.
    """

    name: str
    description: str
    inject: Callable[[Testbed], None]
    layout: Layout = field(default_factory=Layout)
    jobs: int = 40
    rate: float = 6.0
    bound: float | None = None
    most_executions: int = 4
    ends: str = "succeeded"
    needs: Callable[[], str] = lambda: ""
    short: bool = False
    recording: Callable[[], bytes] | None = None
    check: Callable[[Testbed], Iterable[str]] = lambda _: ()
    refusals: int | None = None
    other_record: bool = False


def needs_root() -> str:
    return "" if os.geteuid() == 0 else "mounting a file system needs root"


def every_fault() -> Sequence[Fault]:
    """Return all faults in the order of the table."""
    from chaos import (
        faults_cluster,
        faults_engine,
        faults_failover,
        faults_job,
        faults_keeper,
        faults_links,
        faults_mixed,
        faults_network,
        faults_process,
        faults_redis,
        faults_store,
    )

    groups = (
        faults_process,
        faults_keeper,
        faults_links,
        faults_redis,
        faults_failover,
        faults_cluster,
        faults_network,
        faults_store,
        faults_job,
        faults_engine,
        faults_mixed,
    )
    return [fault for group in groups for fault in group.FAULTS]


def scaled(faults: Sequence[Fault], jobs: int) -> list[Fault]:
    """Return the faults with about this number of jobs in total, scaled in proportion."""
    total = sum(fault.jobs for fault in faults)
    factor = jobs / total
    return [replace(fault, jobs=max(1, round(fault.jobs * factor))) for fault in faults]
