"""Faults of the network between Parley and Redis, by a proxy."""

from __future__ import annotations

import time

from chaos.schedule import Fault
from chaos.system import Layout
from chaos.testbed import Testbed

PROXIED = Layout(link="proxy")
# Seconds. Only a timeout detects a half-open connection: a publisher waits 5 s for an answer, a worker 7 s.
DETECTION_BOUND = 20.0


def send(testbed: Testbed, command: str) -> None:
    assert testbed.system.network is not None
    testbed.system.network.send(command)


def slow_down(testbed: Testbed) -> None:
    for _ in range(4):
        send(testbed, f"delay {testbed.rng.uniform(0.05, 0.3):.3f}")
        testbed.note()
        testbed.pause(3, 4)
    send(testbed, "pass")


def block(testbed: Testbed) -> None:
    """Pass no byte for 8 s, and keep connections open."""
    for _ in range(2):
        with testbed.outage():
            send(testbed, "blackhole")
            time.sleep(8)
            send(testbed, "pass")
        testbed.pause(3, 4)


def half_open(testbed: Testbed) -> None:
    """Pass no byte of the connections that are open now, and never close them."""
    for _ in range(2):
        with testbed.outage():
            send(testbed, "half-open")
        testbed.pause(12, 14)


def cut(testbed: Testbed) -> None:
    for _ in range(10):
        affected = testbed.running()
        send(testbed, "cut")
        testbed.note(affected)
        testbed.pause(0.5, 1.5)


FAULTS = (
    Fault("slow network", "50 to 300 ms of delay for each packet", slow_down, PROXIED, jobs=20, rate=2),
    Fault("network silent for 8 s", "no byte passes and no connection ends, twice", block, PROXIED, rate=4),
    Fault(
        "half-open connections",
        "open connections stay silent and open, twice",
        half_open,
        PROXIED,
        rate=3,
        bound=DETECTION_BOUND,
    ),
    Fault("connections reset", "the network resets all connections at once, ten times", cut, PROXIED, short=True),
)
