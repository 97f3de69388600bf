"""Faults of the keeper: killed while others need it, and between two steps of what it does."""

from __future__ import annotations

import time

from chaos.control import Wounds
from chaos.faults_process import (
    AFTER_LEASE,
    CARRIED,
    LEASE,
    LONGER_RUN,
    MANIFESTS,
    QUEUE,
    REPLACED,
    STORE,
    kill_worker,
    let_them_die,
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
    """And a worker each time: a keeper without work cannot fail at it."""
    for _ in range(4):
        pick(testbed.system.kind("keeper"), testbed.rng).kill()
        kill_worker(testbed)
        testbed.pause(*REPLACED)


def die_importing(testbed: Testbed) -> None:
    """Redis is away for 3 s, so that submits are accepted without a record; keepers die while they record them."""
    for _ in range(2):
        testbed.system.control.set(Wounds(die_chance=0.2))
        testbed.system.valkey.kill()
        time.sleep(3)
        testbed.system.valkey.start()
        testbed.struck()
        testbed.pause(6, 8)
    testbed.system.control.heal()


FAULTS = (
    Fault(
        "keeper killed",
        "SIGKILL of one of two keepers and of a busy worker at once, four times",
        kill_keepers,
        Layout(keepers=2, run_seconds=LONGER_RUN),
        rate=CARRIED,
        bound=LEASE + AFTER_LEASE + LONGER_RUN,
    ),
    Fault(
        "keeper killed between two steps",
        "keepers die right after claiming, publishing, or reaping, while children die too",
        let_them_die(15, 0.1),
        Layout(
            keepers=2,
            wounded={
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
        "keepers die right after recording, publishing or marking jobs accepted without Redis, which returns twice",
        die_importing,
        Layout(keepers=2, wounded={"keeper": {"FAULTS_DIE_AFTER": IMPORT_STEPS}}),
        rate=4,
    ),
)
