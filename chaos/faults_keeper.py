"""Faults of the keeper: killed while it is needed, and between two of its steps."""

from __future__ import annotations

import time

from chaos.control import ActiveFaults
from chaos.faults_process import (
    AFTER_LEASE,
    BETWEEN_KILLS,
    LEASE,
    LIGHT_LOAD,
    LONGER_RUN,
    MANIFESTS,
    QUEUE,
    STORE,
    kill_after_steps,
    kill_worker,
)
from chaos.parts import pick
from chaos.schedule import Fault
from chaos.system import Layout
from chaos.testbed import Testbed

KEEPER_STEPS = ",".join(
    (
        f"{STORE}.claim_due",
        f"{QUEUE}.publish",
        f"{STORE}.mark_queued",
        f"{STORE}.lapsed_leases",
        f"{STORE}.fail_attempt",
    )
)
IMPORT_STEPS = ",".join((f"{STORE}.create", f"{MANIFESTS}.mark_recorded", f"{QUEUE}.publish", f"{STORE}.mark_queued"))


def kill_keepers(testbed: Testbed) -> None:
    """Kill a keeper and a worker each time, so that the keepers have work."""
    for _ in range(4):
        pick(testbed.system.kind("keeper"), testbed.rng).kill()
        kill_worker(testbed)
        testbed.pause(*BETWEEN_KILLS)


def die_importing(testbed: Testbed) -> None:
    """Stop Redis for 3 s, so that jobs are accepted without a record, and kill keepers while they record them."""
    for _ in range(2):
        testbed.system.control.set(ActiveFaults(kill_probability=0.2))
        testbed.system.valkey.kill()
        time.sleep(3)
        testbed.system.valkey.start()
        testbed.note()
        testbed.pause(6, 8)
    testbed.system.control.clear()


FAULTS = (
    Fault(
        "keeper killed",
        "SIGKILL of one of two keepers and of a busy worker at once, four times",
        kill_keepers,
        Layout(keepers=2, run_seconds=LONGER_RUN),
        rate=LIGHT_LOAD,
        bound=LEASE + AFTER_LEASE + LONGER_RUN,
    ),
    Fault(
        "keeper killed between two steps",
        "keepers die right after claiming, publishing or reaping, and children die too",
        kill_after_steps(15, 0.1),
        Layout(
            keepers=2,
            injected={
                "keeper": {"FAULTS_DIE_AFTER": KEEPER_STEPS},
                "worker": {"FAULTS_DIE_AFTER": f"{STORE}.start_attempt"},
                "api": {"FAULTS_DIE_AFTER": f"{STORE}.create"},
            },
        ),
        rate=4,
        ends="",
    ),
    Fault(
        "keeper killed between two steps of an import",
        "keepers die right after recording, publishing or marking jobs that were accepted without Redis, twice",
        die_importing,
        Layout(keepers=2, injected={"keeper": {"FAULTS_DIE_AFTER": IMPORT_STEPS}}),
        rate=4,
    ),
)
