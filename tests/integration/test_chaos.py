"""A short schedule of the fault harness: no accepted job is lost, and none is committed twice.

`make faults` runs every fault and checks recovery times. Tests do not, since they share a machine.
"""

from __future__ import annotations

import pytest

from chaos.round import run_fault
from chaos.schedule import every_fault

FAULTS = {fault.name: fault for fault in every_fault()}


@pytest.mark.timeout(300)
def test_a_seeded_mix_of_the_heaviest_faults_loses_no_job_and_doubles_none() -> None:
    outcome = run_fault(FAULTS["seven faults"], seed="test")
    assert not outcome.problems
    assert not outcome.manual_interventions
    assert outcome.result.passed  # nothing lost, committed twice or doubled; /metrics equal the record
    assert outcome.result.accepted >= 40
    assert outcome.result.unclaimed == 0
