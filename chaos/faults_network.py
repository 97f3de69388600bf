"""Faults of the network between Parley and Redis, by a proxy in between."""

from __future__ import annotations

import time

from chaos.schedule import Fault
from chaos.system import Layout
from chaos.testbed import Testbed

PROXIED = Layout(link="proxy")
NOTICED = 20.0  # seconds: a publisher waits 10 for an answer, a worker 9; nothing else tells of a half-open connection


def tell(testbed: Testbed, command: str) -> None:
    assert testbed.system.network is not None
    testbed.system.network.tell(command)


def slow_down(testbed: Testbed) -> None:
    for _ in range(4):
        tell(testbed, f"delay {testbed.rng.uniform(0.05, 0.3):.3f}")
        testbed.struck()
        testbed.pause(3, 4)
    tell(testbed, "pass")


def swallow(testbed: Testbed) -> None:
    """No byte moves for 8 s, and no connection ends; then all goes on."""
    for _ in range(2):
        with testbed.outage():
            tell(testbed, "blackhole")
            time.sleep(8)
            tell(testbed, "pass")
        testbed.pause(3, 4)


def forget(testbed: Testbed) -> None:
    """Connections that are open are silent for ever; nobody is told."""
    for _ in range(2):
        with testbed.outage():
            tell(testbed, "forget")
        testbed.pause(12, 14)


def cut(testbed: Testbed) -> None:
    for _ in range(10):
        hit = testbed.running()
        tell(testbed, "cut")
        testbed.struck(hit)
        testbed.pause(0.5, 1.5)


FAULTS = (
    Fault("slow network", "50 to 300 ms more for each packet", slow_down, PROXIED, jobs=20, rate=2),
    Fault("network silent for 8 s", "no byte moves, no connection ends, twice", swallow, PROXIED, rate=4),
    Fault(
        "half-open connections", "open connections are silent for ever, twice", forget, PROXIED, rate=3, bound=NOTICED
    ),
    Fault("connections reset", "all at once by the network, ten times", cut, PROXIED, short=True),
)
