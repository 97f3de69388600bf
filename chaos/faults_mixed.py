"""Faults of several kinds in one system: the repair after one must not hide the damage of the next."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from chaos.control import ActiveFaults
from chaos.faults_job import QUICK_RETRIES
from chaos.faults_process import ATTEMPT_STEPS, kill_child, kill_worker
from chaos.faults_redis import empty_lists, publish_again
from chaos.parts import pick
from chaos.schedule import Fault
from chaos.system import Layout
from chaos.testbed import Testbed


def one_of_each(testbed: Testbed) -> None:
    """Inject each of the heaviest faults once, in seeded order."""
    injectors: list[Callable[[Testbed], None]] = [
        kill_child,
        kill_worker,
        kill_one("api"),
        kill_one("keeper"),
        restart_redis,
        publish_again,
        empty_lists,
    ]
    for inject in testbed.rng.sample(injectors, len(injectors)):
        inject(testbed)
        testbed.pause(0.5, 1.5)


def kill_one(kind: str) -> Callable[[Testbed], None]:
    def inject(testbed: Testbed) -> None:
        pick(testbed.system.kind(kind), testbed.rng).kill()
        testbed.note()

    return inject


def everything(testbed: Testbed) -> None:
    """Inject all kinds of faults in seeded order, some at the same time."""
    system = testbed.system
    injectors: list[Callable[[], None]] = [
        *(partial(kill_one(kind), testbed) for kind in ("worker", "api", "keeper")),
        lambda: system.control.set(ActiveFaults(kill_probability=0.1)),
        lambda: system.control.set(ActiveFaults(object_error_share=0.2)),
        lambda: system.control.set(ActiveFaults(object_delay_seconds=0.3)),
        lambda: cut_connections_once(testbed),
        lambda: restart_redis(testbed),
    ]
    for inject in testbed.rng.sample(injectors * 3, len(injectors) * 3):
        inject()
        testbed.note()
        testbed.pause(0.5, 2.0)
    system.control.clear()


def cut_connections_once(testbed: Testbed) -> None:
    client: Any = testbed.system.valkey.client()
    client.client_kill_filter(_type="normal", skipme=True)


def restart_redis(testbed: Testbed) -> None:
    testbed.system.valkey.kill()
    time.sleep(testbed.rng.uniform(0.2, 3))
    testbed.system.valkey.start()


FAULTS = (
    Fault(
        "seven faults",
        "a child, a worker, an API, the keeper and Redis killed, all messages doubled, all messages deleted",
        one_of_each,
        Layout(run_seconds=0.5),
        jobs=40,
        rate=3,
        short=True,
    ),
    Fault(
        "everything at once",
        "24 faults of eight kinds in seeded order",
        everything,
        Layout(
            keepers=2,
            injected={
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
