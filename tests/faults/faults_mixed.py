"""Faults of several kinds at one system: what is put right after one must not hide what the next one breaks."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.faults.arena import Arena
from tests.faults.control import Wounds
from tests.faults.faults_job import QUICK_RETRIES
from tests.faults.faults_process import ATTEMPT_STEPS, kill_child, kill_worker
from tests.faults.faults_redis import empty_lists, publish_again
from tests.faults.parts import pick
from tests.faults.schedule import Fault
from tests.faults.system import Layout


def heaviest(arena: Arena) -> None:
    """Each of the heaviest blows once, in seeded order."""
    blows: list[Callable[[Arena], None]] = [
        kill_child,
        kill_worker,
        kill_one("api"),
        kill_one("keeper"),
        restart_redis,
        publish_again,
        empty_lists,
    ]
    for blow in arena.rng.sample(blows, len(blows)):
        blow(arena)
        arena.pause(0.5, 1.5)


def kill_one(kind: str) -> Callable[[Arena], None]:
    def blow(arena: Arena) -> None:
        pick(arena.system.kind(kind), arena.rng).kill()
        arena.struck()

    return blow


def everything(arena: Arena) -> None:
    """All kinds of blows in one seeded order, some at the same time."""
    system = arena.system
    blows: list[Callable[[], None]] = [
        *(partial(kill_one(kind), arena) for kind in ("worker", "api", "keeper")),
        lambda: system.control.set(Wounds(die_chance=0.1)),
        lambda: system.control.set(Wounds(objects_fail=0.2)),
        lambda: system.control.set(Wounds(objects_delay=0.3)),
        lambda: cut_connections_once(arena),
        lambda: restart_redis(arena),
    ]
    for blow in arena.rng.sample(blows * 3, len(blows) * 3):
        blow()
        arena.struck()
        arena.pause(0.5, 2.0)
    system.control.heal()


def cut_connections_once(arena: Arena) -> None:
    client: Any = arena.system.valkey.client()
    client.client_kill_filter(_type="normal", skipme=True)


def restart_redis(arena: Arena) -> None:
    arena.system.valkey.kill()
    time.sleep(arena.rng.uniform(0.2, 3))
    arena.system.valkey.start()


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
                "api": {"FAULTS_OBJECTS": "on", "FAULTS_DIE_AFTER": "parley_core.redis_jobs:RedisJobStore.create"},
                "worker": {"FAULTS_OBJECTS": "on", "FAULTS_DIE_AFTER": ATTEMPT_STEPS, **QUICK_RETRIES},
                "keeper": {"FAULTS_OBJECTS": "on", **QUICK_RETRIES},
            },
        ),
        jobs=150,
        rate=5,
        ends="",
    ),
)
