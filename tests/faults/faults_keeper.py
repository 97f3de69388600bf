"""Faults of the keeper: killed while others need it, and between two steps of what it does."""

from __future__ import annotations

import time

from tests.faults.arena import Arena
from tests.faults.control import Wounds
from tests.faults.faults_process import (
    AFTER_LEASE,
    CARRIED,
    JOURNAL,
    LEASE,
    LONGER_RUN,
    QUEUE,
    REPLACED,
    STORE,
    kill_worker,
    let_them_die,
)
from tests.faults.parts import pick
from tests.faults.schedule import Fault
from tests.faults.system import Layout

KEEPER_STEPS = ",".join(
    (
        f"{STORE}.claim_due",
        f"{QUEUE}.publish",
        f"{STORE}.mark_queued",
        f"{STORE}.lapsed_leases",
        f"{STORE}.fail_attempt",
    )
)
IMPORT_STEPS = ",".join((f"{STORE}.create", f"{JOURNAL}.remove", f"{QUEUE}.publish", f"{STORE}.mark_queued"))


def kill_keepers(arena: Arena) -> None:
    """And a worker each time: a keeper without work cannot fail at it."""
    for _ in range(4):
        pick(arena.system.kind("keeper"), arena.rng).kill()
        kill_worker(arena)
        arena.pause(*REPLACED)


def die_importing(arena: Arena) -> None:
    """Redis is away for 3 s, so that submits are journalled; keepers die while they import them."""
    for _ in range(2):
        arena.system.control.set(Wounds(die_chance=0.2))
        arena.system.valkey.kill()
        time.sleep(3)
        arena.system.valkey.start()
        arena.struck()
        arena.pause(6, 8)
    arena.system.control.heal()


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
        "keepers die right after recording, publishing, or striking out a journalled job, while Redis comes back twice",
        die_importing,
        Layout(keepers=2, wounded={"keeper": {"FAULTS_DIE_AFTER": IMPORT_STEPS}}),
        rate=4,
    ),
)
