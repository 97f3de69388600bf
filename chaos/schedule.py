"""The schedule as data: every fault, in groups, each with the system it needs and how much load it meets."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from chaos.system import Layout
from chaos.testbed import Testbed


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault.

    Attributes:
        name: as in the table.
        says: one line for the table: what happens.
        strike: does it to a system under load.
        layout: the system it needs.
        jobs: submitted at least.
        rate: jobs submitted per second.
        bound: of the recovery's 95th percentile in seconds, None where the fault has no such measure.
        most_executions: of one job, where the fault promises it.
        ends: the only state that its jobs may end in; None for succeeded or failed after four lost attempts.
        needs: condition for running it here; empty for none, else the reason to skip.
        short: part of the schedule that every test run makes.
        sample: submit the conversation that ships with Parley instead of noise.
    """

    name: str
    says: str
    strike: Callable[[Testbed], None]
    layout: Layout = field(default_factory=Layout)
    jobs: int = 40
    rate: float = 6.0
    bound: float | None = None
    most_executions: int = 4
    ends: str = "succeeded"
    needs: Callable[[], str] = lambda: ""
    short: bool = False
    sample: bool = False


def needs_root() -> str:
    return "" if os.geteuid() == 0 else "a file system of its own size needs root"


def every_fault() -> Sequence[Fault]:
    """All groups, in the order of the table."""
    from chaos import (
        faults_job,
        faults_keeper,
        faults_mixed,
        faults_network,
        faults_process,
        faults_redis,
        faults_store,
    )

    groups = (faults_process, faults_keeper, faults_redis, faults_network, faults_store, faults_job, faults_mixed)
    return [fault for group in groups for fault in group.FAULTS]


def scaled(faults: Sequence[Fault], jobs: int) -> list[Fault]:
    """Return the faults with at least so many jobs in all, spread in proportion."""
    total = sum(fault.jobs for fault in faults)
    factor = jobs / total
    return [replace(fault, jobs=max(1, round(fault.jobs * factor))) for fault in faults]
