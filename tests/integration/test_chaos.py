"""A short schedule of the fault harness: nothing accepted is lost, nothing is committed twice.

`make faults` runs every fault, and holds recovery to its bounds: times do not belong into tests that share a machine.
"""

from __future__ import annotations

import pytest

from chaos.round import run_fault
from chaos.schedule import every_fault

FAULTS = {fault.name: fault for fault in every_fault()}


@pytest.mark.timeout(300)
def test_a_seeded_mix_of_the_heaviest_faults_loses_nothing_and_doubles_nothing() -> None:
    outcome = run_fault(FAULTS["seven blows"], seed="test")
    assert not outcome.problems
    assert not outcome.hand_work
    assert outcome.verdict.good  # nothing lost, committed twice or doubled; /metrics equal the record
    assert outcome.verdict.accepted >= 40
    assert outcome.verdict.unclaimed == 0
