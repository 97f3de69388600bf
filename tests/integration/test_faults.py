"""A short schedule of the fault harness: nothing accepted is lost, nothing is committed twice.

`make faults` runs every fault, and holds recovery to its bounds: times do not belong into tests that share a machine.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.faults.round import run_fault
from tests.faults.schedule import every_fault

SHORT = (
    "worker killed",
    "API killed after creating the record",
    "Redis killed, back after 0.5 s",
)
FAULTS = {fault.name: fault for fault in every_fault()}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", SHORT)
def test_every_promise_is_kept(name: str) -> None:
    outcome = run_fault(replace(FAULTS[name], jobs=20, bound=None), seed="test")
    assert not outcome.problems
    assert outcome.verdict.good
    assert outcome.verdict.accepted >= 20
