"""Faults of the network between Parley and Redis, by a proxy in between."""

from __future__ import annotations

import time

from tests.faults.arena import Arena
from tests.faults.schedule import Fault
from tests.faults.system import Layout

PROXIED = Layout(link="proxy")
NOTICED = 20.0  # seconds: a publisher waits 10 for an answer, a worker 9; nothing else tells of a half-open connection


def tell(arena: Arena, command: str) -> None:
    assert arena.system.network is not None
    arena.system.network.tell(command)


def slow_down(arena: Arena) -> None:
    for _ in range(4):
        tell(arena, f"delay {arena.rng.uniform(0.05, 0.3):.3f}")
        arena.struck()
        arena.pause(3, 4)
    tell(arena, "pass")


def swallow(arena: Arena) -> None:
    """No byte moves for 8 s, and no connection ends; then all goes on."""
    for _ in range(2):
        with arena.outage():
            tell(arena, "blackhole")
            time.sleep(8)
            tell(arena, "pass")
        arena.pause(3, 4)


def forget(arena: Arena) -> None:
    """Connections that are open are silent for ever; nobody is told."""
    for _ in range(2):
        with arena.outage():
            tell(arena, "forget")
        arena.pause(12, 14)


def cut(arena: Arena) -> None:
    for _ in range(10):
        hit = arena.running()
        tell(arena, "cut")
        arena.struck(hit)
        arena.pause(0.5, 1.5)


FAULTS = (
    Fault("slow network", "50 to 300 ms more for each packet", slow_down, PROXIED, jobs=20, rate=2),
    Fault("network silent for 8 s", "no byte moves, no connection ends, twice", swallow, PROXIED, rate=4),
    Fault(
        "half-open connections", "open connections are silent for ever, twice", forget, PROXIED, rate=3, bound=NOTICED
    ),
    Fault("connections reset", "all at once by the network, ten times", cut, PROXIED, short=True),
)
