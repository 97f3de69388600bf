"""Faults of several kinds at one system: what is put right after one must not hide what the next one breaks."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from chaos.control import Wounds
from chaos.faults_job import QUICK_RETRIES
from chaos.faults_process import ATTEMPT_STEPS, kill_child, kill_worker
from chaos.faults_redis import empty_lists, publish_again
from chaos.parts import pick
from chaos.schedule import Fault
from chaos.system import Layout
from chaos.testbed import Testbed


def heaviest(testbed: Testbed) -> None:
    """Each of the heaviest blows once, in seeded order."""
    blows: list[Callable[[Testbed], None]] = [
        kill_child,
        kill_worker,
        kill_one("api"),
        kill_one("keeper"),
        restart_redis,
        publish_again,
        empty_lists,
    ]
    for blow in testbed.rng.sample(blows, len(blows)):
        blow(testbed)
        testbed.pause(0.5, 1.5)


def kill_one(kind: str) -> Callable[[Testbed], None]:
    def blow(testbed: Testbed) -> None:
        pick(testbed.system.kind(kind), testbed.rng).kill()
        testbed.struck()

    return blow


def everything(testbed: Testbed) -> None:
    """All kinds of blows in one seeded order, some at the same time."""
    system = testbed.system
    blows: list[Callable[[], None]] = [
        *(partial(kill_one(kind), testbed) for kind in ("worker", "api", "keeper")),
        lambda: system.control.set(Wounds(die_chance=0.1)),
        lambda: system.control.set(Wounds(objects_fail=0.2)),
        lambda: system.control.set(Wounds(objects_delay=0.3)),
        lambda: cut_connections_once(testbed),
        lambda: restart_redis(testbed),
    ]
    for blow in testbed.rng.sample(blows * 3, len(blows) * 3):
        blow()
        testbed.struck()
        testbed.pause(0.5, 2.0)
    system.control.heal()


def cut_connections_once(testbed: Testbed) -> None:
    client: Any = testbed.system.valkey.client()
    client.client_kill_filter(_type="normal", skipme=True)


def restart_redis(testbed: Testbed) -> None:
    testbed.system.valkey.kill()
    time.sleep(testbed.rng.uniform(0.2, 3))
    testbed.system.valkey.start()


FAULTS = (
    Fault(
        "seven blows",
        "a child, a worker, an API, the keeper and Redis killed, every message doubled, every message deleted",
        heaviest,
        Layout(run_seconds=0.5),
        jobs=40,
        rate=3,
        short=True,
    ),
    Fault(
        "everything at once",
        "24 blows of eight kinds in seeded order",
        everything,
        Layout(
            keepers=2,
            wounded={
                "api": {"FAULTS_OBJECTS": "on", "FAULTS_DIE_AFTER": "parley_core.redis:RedisJobStore.create"},
                "worker": {"FAULTS_OBJECTS": "on", "FAULTS_DIE_AFTER": ATTEMPT_STEPS, **QUICK_RETRIES},
                "keeper": {"FAULTS_OBJECTS": "on", **QUICK_RETRIES},
            },
        ),
        jobs=150,
        rate=5,
        ends="",
    ),
)
